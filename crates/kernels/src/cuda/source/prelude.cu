// What all kernels share. Every kernel computes on f32 with channels last; sums over many values are finished in double.
// No kernel uses an atomic: a sum has one order, so that the same input gives the same bits.

typedef long long i64;
typedef unsigned char u8;

// The value of a one-dimensional launch that this thread computes.
#define ONE_OF(i, count)                                          \
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;     \
    if (i >= (count)) return

// The row and the column of a launch over a matrix; rows are along the grid's x, which has no small limit.
#define ONE_OF_ROWS(row, column, rows, columns)                   \
    const int row = blockIdx.x * blockDim.y + threadIdx.y;        \
    const int column = blockIdx.y * blockDim.x + threadIdx.x;     \
    if (row >= (rows) || column >= (columns)) return

// max(x, 0) that keeps NaN, and what passes back through it, judged by its output.
__device__ __forceinline__ float rectified(float x) { return x < 0.0f ? 0.0f : x; }
__device__ __forceinline__ float passed(float gradient, float output) { return output <= 0.0f ? 0.0f : gradient; }

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// Threads of a block that works on one row together.
#define ROW_THREADS 256

// The sum over a block of ROW_THREADS threads, known to all of them.
__device__ double block_sum(double value) {
    __shared__ double shared[ROW_THREADS];
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = ROW_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    return shared[0];
}

// The maximum over a block; a NaN anywhere is the maximum.
__device__ float block_max(float value) {
    __shared__ float shared[ROW_THREADS];
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = ROW_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            const float a = shared[threadIdx.x], b = shared[threadIdx.x + half];
            shared[threadIdx.x] = b <= a ? a : (a != a ? a : b);
        }
        __syncthreads();
    }
    return shared[0];
}

// Column sums of a matrix, first half: blocks of (32, 8) threads, 32 columns each, and as many blocks along y as
// there are parts. `term(row, column, a, b)` adds to two sums. They go to parts[2][gridDim.y][columns].
template <class Term> __device__ void sum_parts(int rows, int columns, double* parts, Term term) {
    __shared__ double shared[2][8][32];
    const int column = blockIdx.x * 32 + threadIdx.x;
    double a = 0.0, b = 0.0;
    if (column < columns) {
        for (int row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) term(row, column, a, b);
    }
    shared[0][threadIdx.y][threadIdx.x] = a;
    shared[1][threadIdx.y][threadIdx.x] = b;
    __syncthreads();
    if (threadIdx.y < 2 && column < columns) {
        double sum = 0.0;
        for (int y = 0; y < 8; y++) sum += shared[threadIdx.y][y][threadIdx.x];
        parts[((i64)threadIdx.y * gridDim.y + blockIdx.y) * columns + column] = sum;
    }
}

// Second half: the sums of a column over all parts, in the threads with threadIdx.y = 0 of a block of (32, 8).
__device__ bool whole_sums(const double* parts, int count, int columns, int column, double& a, double& b) {
    __shared__ double shared[2][8][32];
    double first = 0.0, second = 0.0;
    if (column < columns) {
        for (int part = threadIdx.y; part < count; part += 8) {
            first += parts[(i64)part * columns + column];
            second += parts[((i64)count + part) * columns + column];
        }
    }
    shared[0][threadIdx.y][threadIdx.x] = first;
    shared[1][threadIdx.y][threadIdx.x] = second;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return false;
    a = b = 0.0;
    for (int y = 0; y < 8; y++) {
        a += shared[0][y][threadIdx.x];
        b += shared[1][y][threadIdx.x];
    }
    return true;
}
