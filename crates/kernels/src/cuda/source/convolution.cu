// What a convolution needs beside its products. Weights come as (O, C, KH, KW), C the channels of a group, and are
// multiplied as (O, KH, KW, C), since feature maps are channels last.

// (O, C, P) to (O, P, C), P = KH KW places.
extern "C" __global__ void pack_weight(const float* weight, float* out, int channels, int places, i64 count) {
    ONE_OF(i, count);
    const int c = (int)(i % channels);
    const i64 rest = i / channels;
    const int place = (int)(rest % places);
    const i64 output = rest / places;
    out[i] = weight[(output * channels + c) * places + place];
}

// (O, P, C) to (O, C, P).
extern "C" __global__ void unpack_weight(const float* weight, float* out, int channels, int places, i64 count) {
    ONE_OF(i, count);
    const int place = (int)(i % places);
    const i64 rest = i / places;
    const int c = (int)(rest % channels);
    const i64 output = rest / channels;
    out[i] = weight[(output * places + place) * channels + c];
}

// Rows of windows (positions, KH KW C) of one group, from samples (n, H, W, all channels).
extern "C" __global__ void columns(
    const float* x, float* out, int height, int width, int pitch, int first_channel, int channels, int kernel_height,
    int kernel_width, int stride_y, int stride_x, int padding_y, int padding_x, int output_height, int output_width,
    int positions) {
    ONE_OF_ROWS(position, column, positions, kernel_height * kernel_width * channels);
    const int c = column % channels, place = column / channels;
    const int ox = position % output_width, rest = position / output_width;
    const int oy = rest % output_height, n = rest / output_height;
    const int y = oy * stride_y - padding_y + place / kernel_width;
    const int x_at = ox * stride_x - padding_x + place % kernel_width;
    float value = 0.0f;
    if (y >= 0 && y < height && x_at >= 0 && x_at < width) {
        value = x[(((i64)n * height + y) * width + x_at) * pitch + first_channel + c];
    }
    out[(i64)position * (kernel_height * kernel_width * channels) + column] = value;
}

// The gradient of the samples from that of their windows' rows: every pixel gathers from the windows that hold it.
extern "C" __global__ void gather_columns(
    const float* columns, float* out, int height, int width, int pitch, int first_channel, int channels,
    int kernel_height, int kernel_width, int stride_y, int stride_x, int padding_y, int padding_x, int output_height,
    int output_width, int pixels) {
    ONE_OF_ROWS(pixel, c, pixels, channels);
    const int x = pixel % width, rest = pixel / width;
    const int y = rest % height, n = rest / height;
    float sum = 0.0f;
    for (int ky = 0; ky < kernel_height; ky++) {
        const int sy = y + padding_y - ky;
        if (sy < 0 || sy % stride_y != 0 || sy / stride_y >= output_height) continue;
        for (int kx = 0; kx < kernel_width; kx++) {
            const int sx = x + padding_x - kx;
            if (sx < 0 || sx % stride_x != 0 || sx / stride_x >= output_width) continue;
            const i64 position = ((i64)n * output_height + sy / stride_y) * output_width + sx / stride_x;
            sum += columns[(position * kernel_height * kernel_width + ky * kernel_width + kx) * channels + c];
        }
    }
    out[(i64)pixel * pitch + first_channel + c] = sum;
}
