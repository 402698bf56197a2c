// Compact bilinear pooling: count sketches, Fourier transforms of any length, products of spectra.

// ψ(x) of every row as complex numbers. The values of a bucket come in the order of their channels: those of bucket b
// are members[starts[b]..starts[b + 1]]. Rows of x lie within samples of `sample` values, `first` values from their start.
extern "C" __global__ void sketch(
    const float* x, const int* starts, const int* members, const float* signs, float2* out, i64 sample, i64 first,
    int places, int channels, int rows, int size) {
    ONE_OF_ROWS(row, bucket, rows, size);
    const float* from = x + (i64)(row / places) * sample + first + (i64)(row % places) * channels;
    float sum = 0.0f;
    for (int i = starts[bucket]; i < starts[bucket + 1]; i++) sum += signs[members[i]] * from[members[i]];
    out[(i64)row * size + bucket] = make_float2(sum, 0.0f);
}

// Real rows as complex ones.
extern "C" __global__ void to_complex(const float* x, float2* out, i64 count) {
    ONE_OF(i, count);
    out[i] = make_float2(x[i], 0.0f);
}

// One pass of a transform of rows of `size` (Stockham's, any radix). Before it, a row holds the transforms of length
// `length` of its subsequences, side by side; after it, those of length `length * radix`. roots[t] = exp(-2πi t / size).
extern "C" __global__ void fourier_pass(
    const float2* in, float2* out, const float2* roots, int length, int radix, int inverse, int rows, int size) {
    ONE_OF_ROWS(row, at, rows, size);
    const int longer = length * radix, step = size / longer;
    const int j = at / longer, k = at % longer;
    const float2* from = in + (i64)row * size + k % length;
    float re = 0.0f, im = 0.0f;
    for (int r = 0; r < radix; r++) {
        const float2 root = roots[((i64)r * k * step) % size];
        const float2 x = from[(i64)(j + r * step) * length];
        const float sine = inverse ? -root.y : root.y;
        re += x.x * root.x - x.y * sine;
        im += x.x * sine + x.y * root.x;
    }
    out[(i64)row * size + at] = make_float2(re, im);
}

// The product of all factors' spectra, or of all but one (conjugated, times the gradient's spectrum), at every place of
// every sample or summed over places. spans[f] = (where its spectra begin, 1 if it has one a place else 0).
extern "C" __global__ void spectra_product(
    const float2* spectra, const i64* spans, const float2* gradient, float2* out, int factors, int without,
    int gradient_places, int places, int out_places, int rows, int size) {
    ONE_OF_ROWS(row, k, rows, size);
    const int n = row / out_places;
    const int first = out_places == places ? row % out_places : 0, last = out_places == places ? first + 1 : places;
    float sum_re = 0.0f, sum_im = 0.0f;
    for (int place = first; place < last; place++) {
        float re = 1.0f, im = 0.0f;
        if (gradient) {
            const i64 g = (i64)n * gradient_places + (gradient_places == 1 ? 0 : place);
            re = gradient[g * size + k].x;
            im = gradient[g * size + k].y;
        }
        for (int f = 0; f < factors; f++) {
            if (f == without) continue;
            const i64 at = spans[2 * f + 1] ? (i64)n * places + place : n;
            const float2 other = spectra[(spans[2 * f] + at) * size + k];
            const float sine = gradient ? -other.y : other.y;
            const float next = re * other.x - im * sine;
            im = re * sine + im * other.x;
            re = next;
        }
        sum_re += re;
        sum_im += im;
    }
    out[(i64)row * size + k] = make_float2(sum_re, sum_im);
}

// The real part times a scale.
extern "C" __global__ void to_real(const float2* x, float* out, float scale, i64 count) {
    ONE_OF(i, count);
    out[i] = x[i].x * scale;
}

// The gradient of a factor's rows from that of their sketches.
extern "C" __global__ void sketch_gradient(
    const float2* sketched, const int* buckets, const float* signs, float* out, float scale, i64 sample, i64 first,
    int places, int rows, int channels, int size) {
    ONE_OF_ROWS(row, c, rows, channels);
    float* to = out + (i64)(row / places) * sample + first + (i64)(row % places) * channels;
    to[c] = signs[c] * scale * sketched[(i64)row * size + buckets[c]].x;
}
