// The kernels of Exact. kernel.go has each of them in Go, with the same results bit for bit.
#include <stddef.h>
#include <stdint.h>

// fs_vectors chooses the instructions: 0 plain C, 1 AVX2 (or NEON), 2 AVX-512. It returns the level in use, which is no
// higher than the processor's. To be called before any other.
int fs_vectors(int level_max);

// fs_near looks at codes, 1024 bytes for each group of 64 rows, and writes (sum << 16 | row) to out for each of the first
// rows rows whose sum of 32 table entries, which stops at 255, is at most cutoff < 255. It returns how many. rows <= 65536.
// If more is not null it has 32 codes more, and there are 32 more tables.
uint32_t fs_near(const uint8_t *codes, const uint8_t *more, uint32_t rows, const uint8_t *tables, uint32_t cutoff,
                 uint32_t *out);

// fs_far keeps of the count candidates in list (row in the lower 16 bits) those with unit * sum of squared differences of
// their codes to the probe's <= (reach + slack[row]) squared. It returns how many are left.
uint32_t fs_far(const int8_t *codes, const float *slack, size_t dim, const int8_t *probe, double unit, double reach,
                uint32_t *list, uint32_t count);

// fs_project writes 64 sums over i of (vectors[i] - mean[i]) * basis[64 i + j] for each of count vectors, in float, from
// the first to the last i, rounding each product and each sum.
void fs_project(const float *vectors, size_t count, size_t dim, const float *mean, const float *basis, float *out);
