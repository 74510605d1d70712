//go:build cgo

// One function for each set of instructions, by target attributes, so that the binary runs on any processor of its
// architecture and nothing depends on -march. No multiplication may be fused with an addition: GCC does not in C11, and
// clang not across statements.
#include "kernel.h"

#include <string.h>

#define GROUP 64        // rows in a group
#define GROUP_BYTES 1024 // 16 lines of 64 bytes: line l has codes 2l (low nibbles) and 2l+1 (high nibbles) of the rows
#define LINES 16
#define AXES 64
#define TIER_TABLES (2 * LINES * 16) // entries for 32 codes
#define AHEAD 8 // candidates between a prefetch and its use

// NEAR begins a variant of fs_near. The second codes of a group lie where the first do: LINES bytes for each row.
#define NEAR(attributes, name)                                                                                          \
	attributes static uint32_t name(const uint8_t *codes, const uint8_t *more, uint32_t rows, const uint8_t *tables,    \
	                                uint32_t cutoff, uint32_t *out)

// emit writes the rows of a group whose bits are set.
static inline uint32_t emit(uint64_t mask, const uint8_t *sums, uint32_t row, uint32_t *out, uint32_t n) {
	for (; mask != 0; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(mask);
		out[n++] = (uint32_t)sums[i] << 16 | (row + i);
	}
	return n;
}

// present is the mask of the rows of a group that exist.
static inline uint64_t present(uint32_t row, uint32_t rows) {
	return rows - row >= GROUP ? ~(uint64_t)0 : ((uint64_t)1 << (rows - row)) - 1;
}

static inline int keeps(double unit, uint32_t sum, double reach, float slack) {
	double far = unit * (double)sum;
	double limit = reach + (double)slack;
	return far <= limit * limit;
}

// add_tables_plain adds at most 32 * 255 to each sum.
static inline void add_tables_plain(uint16_t *sums, const uint8_t *codes, const uint8_t *tables) {
	for (int l = 0; l < LINES; l++) {
		for (int i = 0; i < GROUP; i++) {
			uint8_t code = codes[64 * l + i];
			sums[i] += tables[32 * l + (code & 15)] + tables[32 * l + 16 + (code >> 4)];
		}
	}
}

NEAR(, near_plain) {
	uint32_t n = 0;
	for (uint32_t row = 0; row < rows; row += GROUP, codes += GROUP_BYTES) {
		uint16_t wide[GROUP] = {0};
		uint8_t sums[GROUP];
		uint64_t mask = 0;
		add_tables_plain(wide, codes, tables);
		if (more != NULL) {
			add_tables_plain(wide, more + row * LINES, tables + TIER_TABLES);
		}
		for (int i = 0; i < GROUP; i++) {
			sums[i] = wide[i] > 255 ? 255 : wide[i];
			mask |= (uint64_t)(sums[i] <= cutoff) << i;
		}
		n = emit(mask & present(row, rows), sums, row, out, n);
	}
	return n;
}

// squares is at most 65536 * 254^2 < 2^32, see farMax.
static inline uint32_t squares(const int8_t *a, const int8_t *b, size_t from, size_t dim) {
	uint32_t sum = 0;
	for (size_t i = from; i < dim; i++) {
		int32_t d = (int32_t)a[i] - (int32_t)b[i];
		sum += (uint32_t)(d * d);
	}
	return sum;
}

// FAR is fs_far over a function for the sum of squares.
#define FAR(name, attributes, sum_of_squares)                                                                          \
	attributes static uint32_t name(const int8_t *codes, const float *slack, size_t dim, const int8_t *probe,           \
	                                double unit, double reach, uint32_t *list, uint32_t count) {                        \
		uint32_t n = 0;                                                                                                 \
		for (uint32_t c = 0; c < count; c++) {                                                                          \
			if (c + AHEAD < count) {                                                                                    \
				size_t next = list[c + AHEAD] & 0xffff;                                                                 \
				__builtin_prefetch(slack + next);                                                                       \
				for (size_t i = 0; i < dim; i += 64) {                                                                  \
					__builtin_prefetch(codes + next * dim + i);                                                         \
				}                                                                                                       \
			}                                                                                                           \
			size_t row = list[c] & 0xffff;                                                                              \
			if (keeps(unit, sum_of_squares(codes + row * dim, probe, 0, dim), reach, slack[row])) {                     \
				list[n++] = list[c];                                                                                    \
			}                                                                                                           \
		}                                                                                                               \
		return n;                                                                                                       \
	}

FAR(far_plain, , squares)

// PROJECT is fs_project for a vector type V of so many lanes, rows vectors at a time, so that the sums stay in registers.
#define PROJECT(name, attributes, V, lanes, rows)                                                                       \
	attributes static size_t name(const float *vectors, size_t count, size_t dim, const float *mean,                    \
	                              const float *basis, float *out) {                                                     \
		size_t done = 0;                                                                                                \
		for (; done + rows <= count; done += rows) {                                                                    \
			const float *x = vectors + done * dim;                                                                      \
			V sums[rows][AXES / lanes];                                                                                 \
			memset(sums, 0, sizeof sums);                                                                               \
			for (size_t i = 0; i < dim; i++) {                                                                          \
				V b[AXES / lanes];                                                                                      \
				memcpy(b, basis + AXES * i, sizeof b);                                                                  \
				for (int r = 0; r < rows; r++) {                                                                        \
					float d = x[r * dim + i] - mean[i];                                                                 \
					for (int j = 0; j < AXES / lanes; j++) {                                                            \
						V product = b[j] * d;                                                                           \
						sums[r][j] = sums[r][j] + product;                                                              \
					}                                                                                                   \
				}                                                                                                       \
			}                                                                                                           \
			memcpy(out + done * AXES, sums, sizeof sums);                                                               \
		}                                                                                                               \
		return done;                                                                                                    \
	}

typedef float floats4 __attribute__((vector_size(16)));
PROJECT(project_plain, , floats4, 4, 1)

#if defined(__x86_64__)
#include <immintrin.h>

typedef float floats8 __attribute__((vector_size(32)));
typedef float floats16 __attribute__((vector_size(64)));

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx2,avx512f,avx512bw")))

AVX2 static inline __m256i add_tables_avx2(__m256i sum, const uint8_t *line, const uint8_t *tables) {
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i code = _mm256_loadu_si256((const __m256i *)line);
	__m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tables));
	__m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + 16)));
	sum = _mm256_adds_epu8(sum, _mm256_shuffle_epi8(low, _mm256_and_si256(code, nibble)));
	return _mm256_adds_epu8(sum, _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble)));
}

NEAR(AVX2, near_avx2) {
	const __m256i limit = _mm256_set1_epi8((char)cutoff);
	uint32_t n = 0;
	for (uint32_t row = 0; row < rows; row += GROUP, codes += GROUP_BYTES) {
		__m256i a = _mm256_setzero_si256(), b = a;
		for (int l = 0; l < LINES; l++) {
			a = add_tables_avx2(a, codes + 64 * l, tables + 32 * l);
			b = add_tables_avx2(b, codes + 64 * l + 32, tables + 32 * l);
		}
		for (int l = 0; more != NULL && l < LINES; l++) {
			const uint8_t *line = more + row * LINES + 64 * l;
			a = add_tables_avx2(a, line, tables + TIER_TABLES + 32 * l);
			b = add_tables_avx2(b, line + 32, tables + TIER_TABLES + 32 * l);
		}
		uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(a, limit), a));
		uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(b, limit), b));
		uint64_t mask = ((uint64_t)high << 32 | low) & present(row, rows);
		if (mask != 0) {
			uint8_t sums[GROUP];
			_mm256_storeu_si256((__m256i *)sums, a);
			_mm256_storeu_si256((__m256i *)(sums + 32), b);
			n = emit(mask, sums, row, out, n);
		}
	}
	return n;
}

// add_tables_avx512 adds up the entries of low and high codes apart.
AVX512 static inline void add_tables_avx512(__m512i *a, __m512i *b, const uint8_t *group, const uint8_t *tables) {
	const __m512i nibble = _mm512_set1_epi8(15);
	for (int l = 0; l < LINES; l++) {
		__m512i code = _mm512_loadu_si512(group + 64 * l);
		__m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + 32 * l)));
		__m512i high = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(tables + 32 * l + 16)));
		*a = _mm512_adds_epu8(*a, _mm512_shuffle_epi8(low, _mm512_and_si512(code, nibble)));
		*b = _mm512_adds_epu8(*b, _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble)));
	}
}

NEAR(AVX512, near_avx512) {
	const __m512i limit = _mm512_set1_epi8((char)cutoff);
	uint32_t n = 0;
	for (uint32_t row = 0; row < rows; row += GROUP, codes += GROUP_BYTES) {
		__m512i a = _mm512_setzero_si512(), b = a;
		add_tables_avx512(&a, &b, codes, tables);
		if (more != NULL) {
			add_tables_avx512(&a, &b, more + row * LINES, tables + TIER_TABLES);
		}
		a = _mm512_adds_epu8(a, b);
		uint64_t mask = _mm512_cmple_epu8_mask(a, limit) & present(row, rows);
		if (mask != 0) {
			uint8_t sums[GROUP];
			_mm512_storeu_si512(sums, a);
			n = emit(mask, sums, row, out, n);
		}
	}
	return n;
}

// A lane adds two squares of at most 254^2 each for 16 components: below 2^31 for 65536 of them.
AVX2 static inline uint32_t squares_avx2(const int8_t *a, const int8_t *b, size_t from, size_t dim) {
	__m256i sums = _mm256_setzero_si256();
	size_t i = from;
	for (; i + 16 <= dim; i += 16) {
		__m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i)));
		__m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i)));
		__m256i d = _mm256_sub_epi16(x, y);
		sums = _mm256_add_epi32(sums, _mm256_madd_epi16(d, d));
	}
	__m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
	half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
	return (uint32_t)_mm_cvtsi128_si32(half) + squares(a, b, i, dim);
}

FAR(far_avx2, AVX2, squares_avx2)
PROJECT(project_avx2, AVX2, floats8, 8, 1)
PROJECT(project_avx512, AVX512, floats16, 16, 4)

static int supported(void) {
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2")) {
		return 0;
	}
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? 2 : 1;
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static inline void add_tables_neon(uint8x16_t sum[4], const uint8_t *group, const uint8_t *tables) {
	const uint8x16_t nibble = vdupq_n_u8(15);
	for (int l = 0; l < LINES; l++) {
		uint8x16_t low = vld1q_u8(tables + 32 * l), high = vld1q_u8(tables + 32 * l + 16);
		for (int q = 0; q < 4; q++) {
			uint8x16_t code = vld1q_u8(group + 64 * l + 16 * q);
			sum[q] = vqaddq_u8(sum[q], vqtbl1q_u8(low, vandq_u8(code, nibble)));
			sum[q] = vqaddq_u8(sum[q], vqtbl1q_u8(high, vshrq_n_u8(code, 4)));
		}
	}
}

NEAR(, near_neon) {
	const uint8x16_t limit = vdupq_n_u8((uint8_t)cutoff), zero = vdupq_n_u8(0);
	uint32_t n = 0;
	for (uint32_t row = 0; row < rows; row += GROUP, codes += GROUP_BYTES) {
		uint8x16_t sum[4] = {zero, zero, zero, zero}, any = zero;
		add_tables_neon(sum, codes, tables);
		if (more != NULL) {
			add_tables_neon(sum, more + row * LINES, tables + TIER_TABLES);
		}
		for (int q = 0; q < 4; q++) {
			any = vorrq_u8(any, vcleq_u8(sum[q], limit));
		}
		if (vmaxvq_u8(any) != 0) {
			uint8_t sums[GROUP];
			uint64_t mask = 0;
			for (int q = 0; q < 4; q++) {
				vst1q_u8(sums + 16 * q, sum[q]);
			}
			for (int i = 0; i < GROUP; i++) {
				mask |= (uint64_t)(sums[i] <= cutoff) << i;
			}
			n = emit(mask & present(row, rows), sums, row, out, n);
		}
	}
	return n;
}

// A lane adds two squares of at most 254^2 each for 8 components: below 2^31 for 65536 of them.
static inline uint32_t squares_neon(const int8_t *a, const int8_t *b, size_t from, size_t dim) {
	int32x4_t sums = vdupq_n_s32(0);
	size_t i = from;
	for (; i + 8 <= dim; i += 8) {
		int16x8_t d = vsubl_s8(vld1_s8(a + i), vld1_s8(b + i));
		sums = vmlal_s16(sums, vget_low_s16(d), vget_low_s16(d));
		sums = vmlal_high_s16(sums, d, d);
	}
	return (uint32_t)vaddvq_s32(sums) + squares(a, b, i, dim);
}

FAR(far_neon, , squares_neon)
PROJECT(project_neon, , floats4, 4, 1)

static int supported(void) { return 1; }

#else
static int supported(void) { return 0; }
#endif

static int level = 0;

int fs_vectors(int level_max) {
	int most = supported();
	level = level_max < most ? level_max : most;
	return level;
}

uint32_t fs_near(const uint8_t *codes, const uint8_t *more, uint32_t rows, const uint8_t *tables, uint32_t cutoff,
                 uint32_t *out) {
#if defined(__x86_64__)
	if (level >= 2) {
		return near_avx512(codes, more, rows, tables, cutoff, out);
	}
	if (level == 1) {
		return near_avx2(codes, more, rows, tables, cutoff, out);
	}
#elif defined(__aarch64__)
	if (level >= 1) {
		return near_neon(codes, more, rows, tables, cutoff, out);
	}
#endif
	return near_plain(codes, more, rows, tables, cutoff, out);
}

uint32_t fs_far(const int8_t *codes, const float *slack, size_t dim, const int8_t *probe, double unit, double reach,
                uint32_t *list, uint32_t count) {
#if defined(__x86_64__)
	if (level >= 1) {
		return far_avx2(codes, slack, dim, probe, unit, reach, list, count);
	}
#elif defined(__aarch64__)
	if (level >= 1) {
		return far_neon(codes, slack, dim, probe, unit, reach, list, count);
	}
#endif
	return far_plain(codes, slack, dim, probe, unit, reach, list, count);
}

void fs_project(const float *vectors, size_t count, size_t dim, const float *mean, const float *basis, float *out) {
	size_t done = 0;
#if defined(__x86_64__)
	if (level >= 2) {
		done = project_avx512(vectors, count, dim, mean, basis, out);
	} else if (level == 1) {
		done = project_avx2(vectors, count, dim, mean, basis, out);
	}
#elif defined(__aarch64__)
	if (level >= 1) {
		done = project_neon(vectors, count, dim, mean, basis, out);
	}
#endif
	project_plain(vectors + done * dim, count - done, dim, mean, basis, out + done * AXES);
}
