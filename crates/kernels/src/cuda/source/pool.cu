// Pooling over windows, and local response normalisation. A thread has one channel of one position.

#define WINDOW                                                                                              \
    int height, int width, int kernel_y, int kernel_x, int stride_y, int stride_x, int padding_y, int padding_x, \
    int output_height, int output_width

extern "C" __global__ void max_pool(const float* x, float* out, u8* winners, WINDOW, int channels, int positions) {
    ONE_OF_ROWS(position, c, positions, channels);
    const int ox = position % output_width, rest = position / output_width;
    const int oy = rest % output_height, n = rest / output_height;
    const int y0 = oy * stride_y - padding_y, x0 = ox * stride_x - padding_x;
    const int first_y = max(y0, 0), first_x = max(x0, 0);
    float best = -infinity();
    int winner = (first_y - y0) * kernel_x + (first_x - x0);
    for (int y = first_y; y < min(y0 + kernel_y, height); y++) {
        for (int x_at = first_x; x_at < min(x0 + kernel_x, width); x_at++) {
            const float value = x[(((i64)n * height + y) * width + x_at) * channels + c];
            if (value > best || value != value) {
                best = value;
                winner = (y - y0) * kernel_x + (x_at - x0);
            }
        }
    }
    const i64 at = (i64)position * channels + c;
    out[at] = best;
    winners[at] = (u8)winner;
}

// The windows whose outputs hold a row or column.
__device__ __forceinline__ int first_window(int at, int kernel, int stride, int padding) {
    const int from = at + padding + 1 - kernel;
    return from <= 0 ? 0 : (from + stride - 1) / stride;
}
__device__ __forceinline__ int end_window(int at, int stride, int padding, int count) {
    return min((at + padding) / stride + 1, count);
}

extern "C" __global__ void max_pool_gradient(
    const float* gradient, const u8* winners, float* out, WINDOW, int channels, int pixels) {
    ONE_OF_ROWS(pixel, c, pixels, channels);
    const int x = pixel % width, rest = pixel / width;
    const int y = rest % height, n = rest / height;
    float sum = 0.0f;
    for (int oy = first_window(y, kernel_y, stride_y, padding_y);
         oy < end_window(y, stride_y, padding_y, output_height); oy++) {
        for (int ox = first_window(x, kernel_x, stride_x, padding_x);
             ox < end_window(x, stride_x, padding_x, output_width); ox++) {
            const int place = (y + padding_y - oy * stride_y) * kernel_x + (x + padding_x - ox * stride_x);
            const i64 at = (((i64)n * output_height + oy) * output_width + ox) * channels + c;
            if (winners[at] == (u8)place) sum += gradient[at];
        }
    }
    out[(i64)pixel * channels + c] = sum;
}

// Positions along one axis that the mean of an output is over.
__device__ __forceinline__ int counted(int output, int size, int kernel, int stride, int padding, int count_padding) {
    const int start = output * stride;
    if (count_padding) return min(start + kernel, size + 2 * padding) - start;
    return min(max(start + kernel - padding, 0), size) - max(start - padding, 0);
}

extern "C" __global__ void average_pool(
    const float* x, float* out, WINDOW, int count_padding, int channels, int positions) {
    ONE_OF_ROWS(position, c, positions, channels);
    const int ox = position % output_width, rest = position / output_width;
    const int oy = rest % output_height, n = rest / output_height;
    const int y0 = oy * stride_y - padding_y, x0 = ox * stride_x - padding_x;
    float sum = 0.0f;
    for (int y = max(y0, 0); y < min(y0 + kernel_y, height); y++) {
        for (int x_at = max(x0, 0); x_at < min(x0 + kernel_x, width); x_at++) {
            sum += x[(((i64)n * height + y) * width + x_at) * channels + c];
        }
    }
    const int count = counted(oy, height, kernel_y, stride_y, padding_y, count_padding) *
                      counted(ox, width, kernel_x, stride_x, padding_x, count_padding);
    out[(i64)position * channels + c] = sum / count;
}

extern "C" __global__ void average_pool_gradient(
    const float* gradient, float* out, WINDOW, int count_padding, int channels, int pixels) {
    ONE_OF_ROWS(pixel, c, pixels, channels);
    const int x = pixel % width, rest = pixel / width;
    const int y = rest % height, n = rest / height;
    float sum = 0.0f;
    for (int oy = first_window(y, kernel_y, stride_y, padding_y);
         oy < end_window(y, stride_y, padding_y, output_height); oy++) {
        for (int ox = first_window(x, kernel_x, stride_x, padding_x);
             ox < end_window(x, stride_x, padding_x, output_width); ox++) {
            const int count = counted(oy, height, kernel_y, stride_y, padding_y, count_padding) *
                              counted(ox, width, kernel_x, stride_x, padding_x, count_padding);
            sum += gradient[(((i64)n * output_height + oy) * output_width + ox) * channels + c] * (1.0f / count);
        }
    }
    out[(i64)pixel * channels + c] = sum;
}

// (B, P, C) to the mean over P.
extern "C" __global__ void global_average_pool(const float* x, float* out, int places, int batch, int channels) {
    ONE_OF_ROWS(n, c, batch, channels);
    double sum = 0.0;
    for (int place = 0; place < places; place++) sum += x[((i64)n * places + place) * channels + c];
    out[(i64)n * channels + c] = (float)(sum / places);
}

extern "C" __global__ void global_average_pool_gradient(
    const float* gradient, float* out, int places, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    out[(i64)row * channels + c] = gradient[(i64)(row / places) * channels + c] / places;
}

// The base of the power at a channel: k + scale * (sum of squares in its window).
__device__ __forceinline__ float lrn_base(
    const float* x, int c, int channels, int before, int after, float scale, float k) {
    float squares = 0.0f;
    for (int j = max(c - before, 0); j <= min(c + after, channels - 1); j++) squares += x[j] * x[j];
    return k + scale * squares;
}

extern "C" __global__ void lrn(
    const float* x, float* out, int before, int after, float scale, float k, float beta, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    const float* position = x + (i64)row * channels;
    const float base = lrn_base(position, c, channels, before, after, scale, k);
    out[(i64)row * channels + c] = position[c] * powf(base, -beta);
}

// First half of the gradient: what comes back directly, and the term that every channel sends to its window.
extern "C" __global__ void lrn_terms(
    const float* x, const float* gradient, float* out, float* terms, int before, int after, float scale, float k,
    float beta, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    const float* position = x + (i64)row * channels;
    const i64 at = (i64)row * channels + c;
    const float base = lrn_base(position, c, channels, before, after, scale, k);
    const float direct = gradient[at] * powf(base, -beta);
    out[at] = direct;
    terms[at] = direct * position[c] / base;
}

// Second half: the windows that hold a channel mirror the channel's window.
extern "C" __global__ void lrn_gather(
    const float* x, const float* terms, float* out, int before, int after, float slope, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    const i64 start = (i64)row * channels;
    float sum = 0.0f;
    for (int j = max(c - after, 0); j <= min(c + before, channels - 1); j++) sum += terms[start + j];
    out[start + c] -= slope * x[start + c] * sum;
}
