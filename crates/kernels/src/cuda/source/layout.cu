// Operations that only move values.

// Columns of a matrix into columns of another: rows lie `from_pitch` and `to_pitch` apart.
extern "C" __global__ void copy_columns(
    const float* from, float* to, int from_pitch, int from_column, int to_pitch, int to_column, int rows, int columns) {
    ONE_OF_ROWS(row, column, rows, columns);
    to[(i64)row * to_pitch + to_column + column] = from[(i64)row * from_pitch + from_column + column];
}

// (batch, rows, columns) to (batch, columns, rows), in tiles of 32 x 32 by blocks of (32, 8).
extern "C" __global__ void transpose(const float* x, float* out, int rows, int columns, int row_tiles) {
    __shared__ float tile[32][33];
    const i64 matrix = (i64)blockIdx.z * rows * columns;
    const int column_tile = blockIdx.x / row_tiles, row_tile = blockIdx.x % row_tiles;
    const int column = column_tile * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += 8) {
        const int row = row_tile * 32 + i;
        if (row < rows && column < columns) tile[i][threadIdx.x] = x[matrix + (i64)row * columns + column];
    }
    __syncthreads();
    const int row = row_tile * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += 8) {
        const int target = column_tile * 32 + i;
        if (row < rows && target < columns) out[matrix + (i64)target * rows + row] = tile[threadIdx.x][i];
    }
}

// (B, T, P, C) to (B, P, T, C): the moments of a place side by side; with T and P exchanged, the way back.
extern "C" __global__ void swap_middle(
    const float* x, float* out, int first, int second, int rows, int channels) {
    ONE_OF_ROWS(row, c, rows, channels);
    // row = (n, p, t) of the output, with t the faster one.
    const int t = row % first, rest = row / first;
    const int p = rest % second, n = rest / second;
    out[(i64)row * channels + c] = x[(((i64)n * first + t) * second + p) * channels + c];
}

// (B, T, M) to the sum over T.
extern "C" __global__ void sum_middle(const float* x, float* out, int moments, i64 map, i64 count) {
    ONE_OF(i, count);
    const i64 n = i / map, at = i % map;
    float sum = 0.0f;
    for (int t = 0; t < moments; t++) sum += x[(n * moments + t) * map + at];
    out[i] = sum;
}

// The way back: (B, M) repeated T times.
extern "C" __global__ void repeat_middle(const float* x, float* out, int moments, i64 map, i64 count) {
    ONE_OF(i, count);
    out[i] = x[i / (moments * map) * map + i % map];
}

// Bytes (B, P, C) to floats, each less its channel's mean, or less the whole sample's own mean.
extern "C" __global__ void bytes_to_floats(const u8* x, float* out, const float* means, int channels, i64 count) {
    ONE_OF(i, count);
    out[i] = (float)x[i] - (means ? means[i % channels] : 0.0f);
}
