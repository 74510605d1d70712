// What go-face does not offer: dlib's frontal face detector on raw grey pixels, one size at
// a time, with the score of each hit. The score is what tells the right angle of a picture
// and how sure a detection is.

#include <dlib/image_processing/frontal_face_detector.h>
#include <new>
#include <vector>
#include "detector.h"

// dlib's image interface over memory that Go owns: read only, never resized.
struct grey_view {
	const unsigned char* pixels;
	long rows, columns, stride;
};

namespace dlib {
template <> struct image_traits<grey_view> { typedef unsigned char pixel_type; };
}
inline long num_rows(const grey_view& view) { return view.rows; }
inline long num_columns(const grey_view& view) { return view.columns; }
inline long width_step(const grey_view& view) { return view.stride; }
inline const void* image_data(const grey_view& view) { return view.pixels; }

struct facesearch_detector {
	dlib::frontal_face_detector scan;
};

static dlib::frontal_face_detector one_level_detector() {
	const dlib::frontal_face_detector whole = dlib::get_frontal_face_detector();
	dlib::frontal_face_detector::image_scanner_type scanner;
	scanner.copy_configuration(whole.get_scanner());
	scanner.set_max_pyramid_levels(1);
	std::vector<dlib::frontal_face_detector::feature_vector_type> filters;
	for (unsigned long i = 0; i < whole.num_detectors(); ++i)
		filters.push_back(whole.get_w(i));
	return dlib::frontal_face_detector(scanner, whole.get_overlap_tester(), filters);
}

facesearch_detector* facesearch_detector_new(void) {
	try {
		facesearch_detector* detector = new facesearch_detector;
		detector->scan = one_level_detector();
		return detector;
	} catch (const std::exception&) {
		return nullptr;
	}
}

void facesearch_detector_free(facesearch_detector* detector) { delete detector; }

int facesearch_detect(facesearch_detector* detector, const uint8_t* grey, int width, int height,
	int stride, double threshold, facesearch_hit* hits, int hits_max) {
	try {
		const grey_view view = {grey, height, width, stride};
		std::vector<dlib::rect_detection> found;
		detector->scan(view, found, threshold);
		int count = 0;
		for (const dlib::rect_detection& each : found) {
			if (count == hits_max)
				break;
			facesearch_hit* hit = &hits[count++];
			hit->score = each.detection_confidence;
			hit->left = each.rect.left();
			hit->top = each.rect.top();
			hit->right = each.rect.right();
			hit->bottom = each.rect.bottom();
		}
		return count;
	} catch (const std::exception&) {
		return -1;
	}
}
