// Value by value, and what follows or precedes the products of a layer with a bias.

extern "C" __global__ void fill(float* out, float value, i64 count) {
    ONE_OF(i, count);
    out[i] = value;
}

extern "C" __global__ void relu(const float* x, float* out, i64 count) {
    ONE_OF(i, count);
    out[i] = rectified(x[i]);
}

extern "C" __global__ void relu_gradient(const float* gradient, const float* output, float* out, i64 count) {
    ONE_OF(i, count);
    out[i] = passed(gradient[i], output[i]);
}

extern "C" __global__ void add(const float* a, const float* b, float* out, int relu, i64 count) {
    ONE_OF(i, count);
    const float sum = a[i] + b[i];
    out[i] = relu ? rectified(sum) : sum;
}

extern "C" __global__ void multiply(const float* a, const float* b, float* out, i64 count) {
    ONE_OF(i, count);
    out[i] = a[i] * b[i];
}

// y (rows, columns): the bias of its column added, rectified if asked, in place. There may be no bias.
extern "C" __global__ void add_bias(float* y, const float* bias, int relu, int rows, int columns) {
    ONE_OF_ROWS(row, column, rows, columns);
    const i64 at = (i64)row * columns + column;
    const float value = y[at] + (bias ? bias[column] : 0.0f);
    y[at] = relu ? rectified(value) : value;
}

// The gradient through a rectification (where there is an output), written if `masked` is there, and its column sums.
extern "C" __global__ void column_sums(
    const float* gradient, const float* output, float* masked, double* parts, int rows, int columns) {
    sum_parts(rows, columns, parts, [&](int row, int column, double& a, double&) {
        const i64 at = (i64)row * columns + column;
        float value = gradient[at];
        if (output) value = passed(value, output[at]);
        if (masked) masked[at] = value;
        a += value;
    });
}

extern "C" __global__ void finish_column_sums(const double* parts, int count, float* out, int columns) {
    const int column = blockIdx.x * 32 + threadIdx.x;
    double sum, unused;
    if (whole_sums(parts, count, columns, column, sum, unused)) out[column] = (float)sum;
}

extern "C" __global__ void signed_sqrt(const float* x, float* out, float epsilon, float at_zero, i64 count) {
    ONE_OF(i, count);
    out[i] = copysignf(sqrtf(fabsf(x[i]) + epsilon) - at_zero, x[i]);
}

extern "C" __global__ void signed_sqrt_gradient(
    const float* x, const float* gradient, float* out, float epsilon, i64 count) {
    ONE_OF(i, count);
    out[i] = gradient[i] * (0.5f / sqrtf(fabsf(x[i]) + epsilon));
}

// A block a row.
extern "C" __global__ void rms_norm(const float* x, float* out, double epsilon, int columns) {
    const i64 start = (i64)blockIdx.x * columns;
    double squares = 0.0;
    for (int c = threadIdx.x; c < columns; c += ROW_THREADS) squares += (double)x[start + c] * x[start + c];
    const float factor = (float)(1.0 / sqrt(block_sum(squares) / columns + epsilon));
    for (int c = threadIdx.x; c < columns; c += ROW_THREADS) out[start + c] = x[start + c] * factor;
}

extern "C" __global__ void rms_norm_gradient(
    const float* x, const float* gradient, float* out, double epsilon, int columns) {
    const i64 start = (i64)blockIdx.x * columns;
    double squares = 0.0, product = 0.0;
    for (int c = threadIdx.x; c < columns; c += ROW_THREADS) {
        squares += (double)x[start + c] * x[start + c];
        product += (double)x[start + c] * gradient[start + c];
    }
    squares = block_sum(squares);
    product = block_sum(product);
    const double factor = 1.0 / sqrt(squares / columns + epsilon);
    const double along = product * factor * factor / columns;
    for (int c = threadIdx.x; c < columns; c += ROW_THREADS) {
        out[start + c] = (float)(factor * ((double)gradient[start + c] - (double)x[start + c] * along));
    }
}

// One step of gradient descent with momentum.
extern "C" __global__ void sgd_step(
    float* parameter, float* velocity, const float* gradient, float rate, float momentum, float weight_decay,
    float gradient_scale, i64 count) {
    ONE_OF(i, count);
    const float w = parameter[i];
    const float v = momentum * velocity[i] + (gradient_scale * gradient[i] + weight_decay * w);
    velocity[i] = v;
    parameter[i] = w - rate * v;
}

// values = (1 - share) values + share observed.
extern "C" __global__ void running_average(float* values, const float* observed, double share, i64 count) {
    ONE_OF(i, count);
    values[i] = (float)((1.0 - share) * (double)values[i] + share * (double)observed[i]);
}

// The sum of the squares of a part of the values for each block.
extern "C" __global__ void squares(const float* x, double* parts, i64 count) {
    double sum = 0.0;
    for (i64 i = (i64)blockIdx.x * ROW_THREADS + threadIdx.x; i < count; i += (i64)gridDim.x * ROW_THREADS) {
        sum += (double)x[i] * x[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block: the sum of all parts.
extern "C" __global__ void finish_squares(const double* parts, double* out, int count) {
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += ROW_THREADS) sum += parts[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[0] = sum;
}
