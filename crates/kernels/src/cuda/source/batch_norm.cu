// Batch normalisation. Statistics are double: [mean, variance][channels]. What a pass over the values needs of them is
// float, affine[mean, factor, shift][channels]: y = (x - mean) factor + shift, where the shift takes up what rounding
// took off the mean.

// The origin that deviations are summed around, so that a large mean loses no digits: the first row's value.
__device__ __forceinline__ float origin(const float* x, int column) {
    const float value = x[column];
    return value - value == 0.0f ? value : 0.0f;
}

extern "C" __global__ void deviations(const float* x, double* parts, int rows, int columns) {
    sum_parts(rows, columns, parts, [&](int row, int column, double& a, double& b) {
        const float deviation = x[(i64)row * columns + column] - origin(x, column);
        a += deviation;
        b += deviation * deviation;
    });
}

__device__ void write_affine(
    double mean, double variance, float scale, float shift, double epsilon, float* affine, int column, int columns) {
    const double factor = (1.0 / sqrt(variance + epsilon)) * (double)scale;
    const double lost = mean - (double)(float)mean;
    affine[column] = (float)mean;
    affine[columns + column] = (float)factor;
    affine[2 * columns + column] = (float)((double)shift - lost * factor);
}

// `observed`: mean and unbiased variance, for running averages.
extern "C" __global__ void batch_statistics(
    const float* x, const double* parts, int count, const float* scale, const float* shift, double epsilon,
    double* statistics, float* affine, float* observed, int rows, int columns) {
    const int column = blockIdx.x * 32 + threadIdx.x;
    double sum, squares;
    if (!whole_sums(parts, count, columns, column, sum, squares)) return;
    double mean = sum / rows;
    double variance = squares / rows - mean * mean;
    if (variance < 0.0) variance = 0.0;
    mean += (double)origin(x, column);
    statistics[column] = mean;
    statistics[columns + column] = variance;
    observed[column] = (float)mean;
    observed[columns + column] = (float)(variance * ((double)rows / (rows - 1.0)));
    write_affine(mean, variance, scale[column], shift[column], epsilon, affine, column, columns);
}

// As above, from the statistics of more rows than are here.
extern "C" __global__ void given_statistics(
    const double* statistics, const float* scale, const float* shift, double epsilon, float* affine, float* observed,
    double rows, int columns) {
    ONE_OF(column, columns);
    const double mean = statistics[column], variance = statistics[columns + column];
    observed[column] = (float)mean;
    observed[columns + column] = (float)(variance * (rows / (rows - 1.0)));
    write_affine(mean, variance, scale[column], shift[column], epsilon, affine, (int)column, columns);
}

extern "C" __global__ void fixed_statistics(
    const float* mean, const float* variance, const float* scale, const float* shift, double epsilon,
    double* statistics, float* affine, int columns) {
    ONE_OF(column, columns);
    statistics[column] = mean[column];
    statistics[columns + column] = variance[column];
    write_affine(mean[column], variance[column], scale[column], shift[column], epsilon, affine, (int)column, columns);
}

extern "C" __global__ void normalise(
    const float* x, const float* affine, const float* residual, float* out, int relu, int rows, int columns) {
    ONE_OF_ROWS(row, column, rows, columns);
    const i64 at = (i64)row * columns + column;
    float y = (x[at] - affine[column]) * affine[columns + column] + affine[2 * columns + column];
    if (residual) y += residual[at];
    out[at] = relu ? rectified(y) : y;
}

// The gradient before the rectification. Without a residual the output is made again from the input; `mask`: 0 none,
// 1 by the input, 2 by the output.
__device__ __forceinline__ float before_relu(
    float gradient, float x, const float* output, i64 at, const float* affine, int column, int columns, int mask) {
    if (mask == 0) return gradient;
    const float y =
        mask == 2 ? output[at] : (x - affine[column]) * affine[columns + column] + affine[2 * columns + column];
    return passed(gradient, y);
}

// Sums of the gradient and of its product with the deviation; the masked gradient is written if `masked` is there.
extern "C" __global__ void gradient_sums(
    const float* gradient, const float* x, const float* output, const float* affine, float* masked, double* parts,
    int mask, int rows, int columns) {
    sum_parts(rows, columns, parts, [&](int row, int column, double& a, double& b) {
        const i64 at = (i64)row * columns + column;
        const float g = before_relu(gradient[at], x[at], output, at, affine, column, columns, mask);
        if (masked) masked[at] = g;
        a += g;
        b += g * (x[at] - affine[column]);
    });
}

// The sums over all parts, as one part.
extern "C" __global__ void add_up_parts(const double* parts, int count, double* sums, int columns) {
    const int column = blockIdx.x * 32 + threadIdx.x;
    double first, second;
    if (!whole_sums(parts, count, columns, column, first, second)) return;
    sums[column] = first;
    sums[columns + column] = second;
}

// Gradients of scale and shift, and what leads through the statistics: through[constant, slope][columns].
extern "C" __global__ void parameter_gradients(
    const double* parts, int count, const double* statistics, const float* scale, double epsilon, float* scale_gradient,
    float* shift_gradient, float* through, int rows, int columns) {
    const int column = blockIdx.x * 32 + threadIdx.x;
    double terms, products;
    if (!whole_sums(parts, count, columns, column, terms, products)) return;
    const double mean = statistics[column];
    const double lost = mean - (double)(float)mean;
    products -= lost * terms;
    const double inverse = 1.0 / sqrt(statistics[columns + column] + epsilon);
    scale_gradient[column] = (float)(products * inverse);
    shift_gradient[column] = (float)terms;
    const double slope = (double)scale[column] * inverse * inverse * inverse * products / rows;
    through[column] = (float)((double)scale[column] * inverse * terms / rows - lost * slope);
    through[columns + column] = (float)slope;
}

// The input's gradient; `through` is absent where the statistics are fixed.
extern "C" __global__ void input_gradient(
    const float* gradient, const float* x, const float* output, const float* affine, const float* through, float* out,
    int mask, int rows, int columns) {
    ONE_OF_ROWS(row, column, rows, columns);
    const i64 at = (i64)row * columns + column;
    const float g = before_relu(gradient[at], x[at], output, at, affine, column, columns, mask);
    float found = affine[columns + column] * g;
    if (through) found -= through[column] + through[columns + column] * (x[at] - affine[column]);
    out[at] = found;
}
