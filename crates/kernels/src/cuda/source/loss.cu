// Losses, softmax, attention. A block of ROW_THREADS threads has a row.

// Writes exp(x - largest) of a row to `out` and returns the sum. `step` apart lie the row's values.
__device__ double exponentials(const float* x, float* out, int count) {
    float largest = -infinity();
    for (int k = threadIdx.x; k < count; k += ROW_THREADS) {
        const float value = x[k];
        largest = value <= largest ? largest : (largest != largest ? largest : value);
    }
    largest = block_max(largest);
    double sum = 0.0;
    for (int k = threadIdx.x; k < count; k += ROW_THREADS) {
        const float power = expf(x[k] - largest);
        out[k] = power;
        sum += power;
    }
    return block_sum(sum);
}

// Softmax of every row.
extern "C" __global__ void softmax(const float* x, float* out, int classes) {
    const i64 start = (i64)blockIdx.x * classes;
    const double sum = exponentials(x + start, out + start, classes);
    const double scale = 1.0 / sum;
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) out[start + k] = (float)((double)out[start + k] * scale);
}

// y (g - sum(g y)) of every row.
extern "C" __global__ void softmax_gradient(const float* y, const float* gradient, float* out, int classes) {
    const i64 start = (i64)blockIdx.x * classes;
    double mean = 0.0;
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) mean += (double)gradient[start + k] * y[start + k];
    mean = block_sum(mean);
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) {
        out[start + k] = (float)((double)y[start + k] * ((double)gradient[start + k] - mean));
    }
}

// -ln softmax(logits)[label] of every row; 0 where there is no label (-1).
extern "C" __global__ void cross_entropy(const float* logits, const int* labels, double* losses, int classes) {
    const float* row = logits + (i64)blockIdx.x * classes;
    const int label = labels[blockIdx.x];
    float largest = -infinity();
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) {
        const float value = row[k];
        largest = value <= largest ? largest : (largest != largest ? largest : value);
    }
    largest = block_max(largest);
    double sum = 0.0;
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) sum += exp((double)(row[k] - largest));
    sum = block_sum(sum);
    if (threadIdx.x == 0) losses[blockIdx.x] = label < 0 ? 0.0 : log(sum) - (double)(row[label] - largest);
}

// (softmax - one-hot) times the gradient of the loss / labelled samples; zero without a label.
extern "C" __global__ void cross_entropy_gradient(
    const float* logits, const int* labels, const float* gradient, float* out, int labelled, int classes) {
    const i64 start = (i64)blockIdx.x * classes;
    const int label = labels[blockIdx.x];
    const double sum = exponentials(logits + start, out + start, classes);
    const double one = 1.0 / sum;
    const float scale = gradient[0] / labelled;
    for (int k = threadIdx.x; k < classes; k += ROW_THREADS) {
        float p = (float)((double)out[start + k] * one);
        if (k == label) p -= 1.0f;
        out[start + k] = label < 0 ? 0.0f : p * scale;
    }
}

// One block: the weighted mean of the losses.
extern "C" __global__ void mean_loss(const double* losses, float* out, double weight, double divisor, int count) {
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += ROW_THREADS) sum += losses[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[0] = (float)(weight * sum / divisor);
}

// Sums over a pair's features: of squared and of absolute differences.
__device__ void pair_sums(const float* x, const float* y, int features, double& squares, double& absolute) {
    squares = absolute = 0.0;
    for (int f = threadIdx.x; f < features; f += ROW_THREADS) {
        const double difference = (double)x[f] - (double)y[f];
        squares += difference * difference;
        absolute += fabs(difference);
    }
    squares = block_sum(squares);
    absolute = block_sum(absolute);
}

extern "C" __global__ void contrastive(
    const float* pairs, const int* similar, double* losses, double margin, int l1, int features) {
    const float* x = pairs + 2 * (i64)blockIdx.x * features;
    double squares, absolute;
    pair_sums(x, x + features, features, squares, absolute);
    if (threadIdx.x > 0) return;
    const double missing = margin - (l1 ? absolute : sqrt(squares));
    losses[blockIdx.x] = similar[blockIdx.x] ? squares : (missing < 0.0 ? 0.0 : missing * missing);
}

// `scale` is 2 weight / pairs, before the gradient of the loss.
extern "C" __global__ void contrastive_gradient(
    const float* pairs, const int* similar, const float* gradient, float* out, double margin, double scale, int l1,
    int features) {
    const i64 start = 2 * (i64)blockIdx.x * features;
    const float *x = pairs + start, *y = x + features;
    double squares, absolute;
    pair_sums(x, y, features, squares, absolute);
    const double distance = l1 ? absolute : sqrt(squares);
    const double missing = margin - distance;
    const bool alike = similar[blockIdx.x], idle = !alike && (missing < 0.0 || distance == 0.0);
    for (int f = threadIdx.x; f < features; f += ROW_THREADS) {
        const double difference = (double)x[f] - (double)y[f];
        double along = difference;
        if (!alike) {
            const double sign = difference > 0.0 ? 1.0 : (difference < 0.0 ? -1.0 : difference);
            along = l1 ? -missing * sign : -missing * difference / distance;
        }
        const float found = idle ? 0.0f : (float)(scale * (double)gradient[0] * along);
        out[start + f] = found;
        out[start + features + f] = idle ? 0.0f : -found;
    }
}

// weights (B, P), x (B, P, C): the weighted sum over places.
extern "C" __global__ void weighted_pool(
    const float* weights, const float* x, float* out, int places, int batch, int channels) {
    ONE_OF_ROWS(n, c, batch, channels);
    float sum = 0.0f;
    for (int p = 0; p < places; p++) sum += weights[(i64)n * places + p] * x[((i64)n * places + p) * channels + c];
    out[(i64)n * channels + c] = sum;
}

// A block has a place of a sample.
extern "C" __global__ void weighted_pool_weights(
    const float* x, const float* gradient, float* out, int places, int channels) {
    const i64 n = blockIdx.x / places;
    double product = 0.0;
    for (int c = threadIdx.x; c < channels; c += ROW_THREADS) {
        product += (double)gradient[n * channels + c] * x[(i64)blockIdx.x * channels + c];
    }
    product = block_sum(product);
    if (threadIdx.x == 0) out[blockIdx.x] = (float)product;
}

extern "C" __global__ void weighted_pool_map(
    const float* weights, const float* gradient, float* out, int places, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    out[(i64)row * channels + c] = weights[row] * gradient[(i64)(row / places) * channels + c];
}
