// The kernels of the op of this example: see kernel.go. nvcc -ptx -arch=compute_80 makes snake.ptx of this file.

// the sine of x, whose turns are taken off first: the fast sine is exact to 2^-21 within one turn.
__device__ static inline float sine(float x) { return __sinf(fmaf(-6.2831855f, rintf(x * 0.15915494f), x)); }

// y = x + sin²(a·x)/a for n elements.
extern "C" __global__ void snake(const unsigned *stop, float *y, const float *x, float a, unsigned long long n) {
  if (stop != 0 && *stop != 0) return;
  unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float s = sine(a * x[i]);
    y[i] = x[i] + s * s / a;
  }
}

// dx = dy·(1 + sin(2a·x)) for n elements.
extern "C" __global__ void snake_grad(const unsigned *stop, float *dx, const float *x, const float *dy, float a, unsigned long long n) {
  if (stop != 0 && *stop != 0) return;
  unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) dx[i] = dy[i] * (1.0f + sine(2.0f * a * x[i]));
}
