// TV-L1 optical flow of many pairs at once: crate `flow`'s arithmetic, operation by operation. This file is compiled
// without fused multiply-adds, which the CPU does not use either.
//
// Planes are (B, H, W). Blocks of (32, 8) threads lie over a plane, and the grid's z counts planes. The two components
// of the flow are planes of a pair each, (2, B, H, W); what is always used together lies together: (B, H, W) of float4.

// The pixel of a launch over planes that this thread computes, and its place in the array.
#define ONE_OF_PLANES(column, row, at, width, height)             \
    const int column = blockIdx.x * blockDim.x + threadIdx.x;     \
    const int row = blockIdx.y * blockDim.y + threadIdx.y;        \
    if (column >= (width) || row >= (height)) return;             \
    const i64 at = ((i64)blockIdx.z * (height) + row) * (width) + column

__device__ __forceinline__ float limited(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

__device__ __forceinline__ int within(int index, int count) { return min(max(index, 0), count - 1); }

// Smoothing by a Gaussian downwards: taps[0] is its middle, taps[radius] its end. Border pixels are repeated outwards.
extern "C" __global__ void flow_smooth_down(
    const float* from, float* to, const float* taps, int radius, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const float* column = from + (at - (i64)y * width);
    float sum = taps[0] * from[at];
    for (int far = 1; far <= radius; far++) {
        sum += taps[far] * (column[(i64)max(y - far, 0) * width] + column[(i64)min(y + far, height - 1) * width]);
    }
    to[at] = sum;
}

// The same along rows.
extern "C" __global__ void flow_smooth_along(
    const float* from, float* to, const float* taps, int radius, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const float* row = from + (at - x);
    float sum = taps[0] * row[x];
    for (int far = 1; far <= radius; far++) {
        sum += taps[far] * (row[max(x - far, 0)] + row[min(x + far, width - 1)]);
    }
    to[at] = sum;
}

// Where pixel `to` of a resized line lies in the line of `count` pixels that it comes from: the first neighbour, and
// the share of the second.
__device__ __forceinline__ int neighbour(int to, float step, int count, float& share) {
    const float position = limited(((float)to + 0.5f) * step - 0.5f, 0.0f, (float)(count - 1));
    const int low = (int)position;
    share = position - (float)low;
    return low;
}

// Bilinear resizing between pixel centres, times a factor: one for the first `half` planes, one for the others.
extern "C" __global__ void flow_resize(
    const float* from, float* to, float across, float down, float first_factor, float second_factor, int half,
    int from_width, int from_height, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    float along, share;
    const int left = neighbour(x, across, from_width, along), right = min(left + 1, from_width - 1);
    const int top = neighbour(y, down, from_height, share), bottom = min(top + 1, from_height - 1);
    const float* plane = from + (i64)blockIdx.z * from_height * from_width;
    const float* above = plane + (i64)top * from_width;
    const float* below = plane + (i64)bottom * from_width;
    const float factor = (int)blockIdx.z < half ? first_factor : second_factor;
    const float before = factor * (above[left] + share * (below[left] - above[left]));
    const float after = factor * (above[right] + share * (below[right] - above[right]));
    to[at] = before + along * (after - before);
}

// Keys' cubic (Catmull-Rom): the weights of four taps at distance t past the second, and their derivatives.
__device__ __forceinline__ void cubic(float t, float* weights, float* slopes) {
    weights[0] = t * (-0.5f + t * (1.0f - 0.5f * t));
    weights[1] = 1.0f + t * t * (-2.5f + 1.5f * t);
    weights[2] = t * (0.5f + t * (2.0f - 1.5f * t));
    weights[3] = t * t * (-0.5f + 0.5f * t);
    slopes[0] = -0.5f + t * (2.0f - 1.5f * t);
    slopes[1] = t * (-5.0f + 4.5f * t);
    slopes[2] = 0.5f + t * (4.0f - 4.5f * t);
    slopes[3] = t * (-1.0f + 1.5f * t);
}

// The data term of every pair, linearised about its flow: data = (gradient x, gradient y, constant, 1 / |gradient|^2),
// the constant without the change of illumination; what that leaves unexplained, clamped, goes to `error`.
// pairs[b] = the numbers of its two frames.
extern "C" __global__ void flow_linearise(
    const float* frames, const int2* pairs, const float* flow, const float* change, float4* data, float* error,
    float blend, float limit, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const i64 plane = (i64)width * height;
    const float* first = frames + pairs[blockIdx.z].x * plane;
    const float* second = frames + pairs[blockIdx.z].y * plane;
    const float u = flow[at], v = flow[gridDim.z * plane + at];

    const float to_x = (float)x + u, to_y = (float)y + v;
    const float in_x = limited(to_x, 0.0f, (float)(width - 1)), in_y = limited(to_y, 0.0f, (float)(height - 1));
    const float inside = in_x == to_x && in_y == to_y ? 1.0f : 0.0f;
    // A flow that is no number must not lead out of the picture either.
    const int left = within((int)in_x, width), top = within((int)in_y, height);
    float across[4], across_slopes[4], down[4], down_slopes[4];
    cubic(in_x - (float)left, across, across_slopes);
    cubic(in_y - (float)top, down, down_slopes);
    // Interpolated downwards, in each of four columns.
    float values[4] = {0.0f, 0.0f, 0.0f, 0.0f}, slopes[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int tap = 0; tap < 4; tap++) {
        const float* row = second + (i64)within(top + tap - 1, height) * width;
#pragma unroll
        for (int column = 0; column < 4; column++) {
            const float value = row[within(left + column - 1, width)];
            values[column] += down[tap] * value;
            slopes[column] += down_slopes[tap] * value;
        }
    }
    const float value =
        (across[0] * values[0] + across[1] * values[1]) + (across[2] * values[2] + across[3] * values[3]);
    const float slope_x = (across_slopes[0] * values[0] + across_slopes[1] * values[1]) +
                          (across_slopes[2] * values[2] + across_slopes[3] * values[3]);
    const float slope_y =
        (across[0] * slopes[0] + across[1] * slopes[1]) + (across[2] * slopes[2] + across[3] * slopes[3]);

    const float* row = first + (i64)y * width;
    const float* row_above = first + (i64)max(y - 1, 0) * width;
    const float* row_below = first + (i64)min(y + 1, height - 1) * width;
    const float central_x = 0.5f * (row[min(x + 1, width - 1)] - row[max(x - 1, 0)]);
    const float central_y = 0.5f * (row_below[x] - row_above[x]);
    const float difference = inside * (value - row[x]);
    const float gx = inside * (slope_x + blend * (central_x - slope_x));
    const float gy = inside * (slope_y + blend * (central_y - slope_y));
    error[at] = inside * limited(difference - change[at], -limit, limit);
    data[at] = make_float4(gx, gy, difference - (gx * u + gy * v), 1.0f / (gx * gx + gy * gy + 1e-9f));
}

// Pixels on a side of a cell, over which the error is averaged.
#define CELL 4

// The mean error of every cell; those at the right and lower border may be smaller.
extern "C" __global__ void flow_cell_means(
    const float* error, float* cells, int width, int height, int across, int down) {
    ONE_OF_PLANES(cell_x, cell_y, at, across, down);
    const float* plane = error + (i64)blockIdx.z * width * height;
    const int right = min((cell_x + 1) * CELL, width), bottom = min((cell_y + 1) * CELL, height);
    float sum = 0.0f;
    for (int x = cell_x * CELL; x < right; x++) {
        float column = 0.0f;
        for (int y = cell_y * CELL; y < bottom; y++) column += plane[(i64)y * width + x];
        sum += column;
    }
    cells[at] = sum / (float)((right - cell_x * CELL) * (bottom - cell_y * CELL));
}

// Moves the change of illumination by the smoothed means, interpolated, and takes it off the constant of the data term.
extern "C" __global__ void flow_light(
    const float* cells, float* change, float4* data, int across, int down, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const float* plane = cells + (i64)blockIdx.z * across * down;
    const float found = ((float)y + 0.5f) / (float)CELL - 0.5f, position = found < 0.0f ? 0.0f : found;
    const int top = min((int)position, down - 1);
    const float share = position - (float)top;
    const float* above = plane + (i64)top * across;
    const float* below = plane + (i64)min(top + 1, down - 1) * across;
    const int cell = x / CELL, place = x % CELL;
    const int next = within(place < CELL / 2 ? cell - 1 : cell + 1, across);
    const float here = above[cell] + share * (below[cell] - above[cell]);
    const float there = above[next] + share * (below[next] - above[next]);
    const float part = place == 0 || place == CELL - 1 ? 0.375f : 0.125f;
    const float moved = change[at] + (here + part * (there - here));
    change[at] = moved;
    data[at].z -= moved;
}

// The primal step: the flow from the dual variables p = (x and y of the first component's, x and y of the second's).
extern "C" __global__ void flow_primal(
    float* flow, const float4* data, const float4* duals, float theta, float most, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const i64 second = (i64)gridDim.z * width * height + at;
    const float4 term = data[at], p = duals[at];
    float left_u = 0.0f, left_v = 0.0f, above_u = 0.0f, above_v = 0.0f;
    if (x > 0) {
        left_u = duals[at - 1].x;
        left_v = duals[at - 1].z;
    }
    if (y > 0) {
        above_u = duals[at - width].y;
        above_v = duals[at - width].w;
    }
    const float u = flow[at], v = flow[second];
    const float rho = term.z + (term.x * u + term.y * v);
    const float step = limited(-(rho * term.w), -most, most);
    flow[at] = u + (step * term.x + theta * ((p.x - left_u) + (p.y - above_u)));
    flow[second] = v + (step * term.y + theta * ((p.z - left_v) + (p.w - above_v)));
}

// 1 / sqrt(x) to 0.07 %, finite at zero, and at most one: the bit trick with a Newton step in Kadlec's constants.
__device__ __forceinline__ float shrinking(float x) {
    const float guess = __int_as_float((int)(0x5f1ffff9u - ((unsigned)__float_as_int(x) >> 1)));
    const float root = 0.70395225f * guess * (2.3892446f - x * guess * guess);
    return root < 1.0f ? root : 1.0f;
}

// The dual step: a gradient step and the projection to the unit disk. No gradient crosses the border.
extern "C" __global__ void flow_dual(const float* flow, float4* duals, float rate, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    const i64 second = (i64)gridDim.z * width * height + at;
    const i64 right = x + 1 < width ? 1 : 0, below = y + 1 < height ? width : 0;
    const float u = flow[at], v = flow[second];
    float4 p = duals[at];
    p.x += rate * (flow[at + right] - u);
    p.y += rate * (flow[at + below] - u);
    p.z += rate * (flow[second + right] - v);
    p.w += rate * (flow[second + below] - v);
    const float shrink_u = shrinking(p.x * p.x + p.y * p.y), shrink_v = shrinking(p.z * p.z + p.w * p.w);
    duals[at] = make_float4(p.x * shrink_u, p.y * shrink_u, p.z * shrink_v, p.w * shrink_v);
}

// Puts two of `values` in order.
#define ORDER(low, high)                                                      \
    {                                                                         \
        const float a = values[low], b = values[high];                        \
        values[low] = fminf(a, b);                                            \
        values[high] = fmaxf(a, b);                                           \
    }

// The window of a pixel, border pixels repeated outwards.
template <int SIDE>
__device__ __forceinline__ void window(const float* plane, int x, int y, int width, int height, float* values) {
#pragma unroll
    for (int row = 0; row < SIDE; row++) {
        const float* line = plane + (i64)within(y + row - SIDE / 2, height) * width;
#pragma unroll
        for (int column = 0; column < SIDE; column++) {
            values[row * SIDE + column] = line[within(x + column - SIDE / 2, width)];
        }
    }
}

// The median of 3x3 (Paeth 1990; Devillard 1998).
extern "C" __global__ void flow_median_3(const float* from, float* to, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    float values[9];
    window<3>(from + (i64)blockIdx.z * width * height, x, y, width, height, values);
    ORDER(1, 2) ORDER(4, 5) ORDER(7, 8) ORDER(0, 1) ORDER(3, 4) ORDER(6, 7) ORDER(1, 2) ORDER(4, 5) ORDER(7, 8)
    ORDER(0, 3) ORDER(5, 8) ORDER(4, 7) ORDER(3, 6) ORDER(1, 4) ORDER(2, 5) ORDER(4, 7) ORDER(4, 2) ORDER(6, 4)
    ORDER(4, 2)
    to[at] = values[4];
}

// The median of 5x5 (Devillard 1998).
extern "C" __global__ void flow_median_5(const float* from, float* to, int width, int height) {
    ONE_OF_PLANES(x, y, at, width, height);
    float values[25];
    window<5>(from + (i64)blockIdx.z * width * height, x, y, width, height, values);
    ORDER(0, 1) ORDER(3, 4) ORDER(2, 4) ORDER(2, 3) ORDER(6, 7) ORDER(5, 7) ORDER(5, 6) ORDER(9, 10) ORDER(8, 10)
    ORDER(8, 9) ORDER(12, 13) ORDER(11, 13) ORDER(11, 12) ORDER(15, 16) ORDER(14, 16) ORDER(14, 15) ORDER(18, 19)
    ORDER(17, 19) ORDER(17, 18) ORDER(21, 22) ORDER(20, 22) ORDER(20, 21) ORDER(23, 24) ORDER(2, 5) ORDER(3, 6)
    ORDER(0, 6) ORDER(0, 3) ORDER(4, 7) ORDER(1, 7) ORDER(1, 4) ORDER(11, 14) ORDER(8, 14) ORDER(8, 11) ORDER(12, 15)
    ORDER(9, 15) ORDER(9, 12) ORDER(13, 16) ORDER(10, 16) ORDER(10, 13) ORDER(20, 23) ORDER(17, 23) ORDER(17, 20)
    ORDER(21, 24) ORDER(18, 24) ORDER(18, 21) ORDER(19, 22) ORDER(8, 17) ORDER(9, 18) ORDER(0, 18) ORDER(0, 9)
    ORDER(10, 19) ORDER(1, 19) ORDER(1, 10) ORDER(11, 20) ORDER(2, 20) ORDER(2, 11) ORDER(12, 21) ORDER(3, 21)
    ORDER(3, 12) ORDER(13, 22) ORDER(4, 22) ORDER(4, 13) ORDER(14, 23) ORDER(5, 23) ORDER(5, 14) ORDER(15, 24)
    ORDER(6, 24) ORDER(6, 15) ORDER(7, 16) ORDER(7, 19) ORDER(13, 21) ORDER(15, 23) ORDER(7, 13) ORDER(7, 15)
    ORDER(1, 9) ORDER(3, 11) ORDER(5, 17) ORDER(11, 17) ORDER(9, 17) ORDER(4, 10) ORDER(6, 12) ORDER(7, 14)
    ORDER(4, 6) ORDER(4, 7) ORDER(12, 14) ORDER(10, 14) ORDER(6, 7) ORDER(10, 12) ORDER(6, 10) ORDER(6, 17)
    ORDER(12, 17) ORDER(7, 17) ORDER(7, 10) ORDER(12, 18) ORDER(7, 12) ORDER(10, 18) ORDER(12, 20) ORDER(10, 20)
    ORDER(10, 12)
    to[at] = values[12];
}
