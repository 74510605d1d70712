#ifndef FACESEARCH_DETECTOR_H
#define FACESEARCH_DETECTOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A place where one of the five face filters answered at or above the threshold. */
typedef struct {
	double score; /* above 0: dlib calls it a face */
	int32_t left, top, right, bottom; /* pixels of the scanned picture, last ones included */
} facesearch_hit;

typedef struct facesearch_detector facesearch_detector;

/* NULL when memory has run out. Not safe for two threads at once. */
facesearch_detector* facesearch_detector_new(void);
void facesearch_detector_free(facesearch_detector* detector);

/* Scans one grey picture at one size. Writes up to hits_max hits, best first, overlapping
   ones already dropped, and returns how many; -1 when memory has run out. */
int facesearch_detect(facesearch_detector* detector, const uint8_t* grey, int width, int height,
	int stride, double threshold, facesearch_hit* hits, int hits_max);

#ifdef __cplusplus
}
#endif

#endif
