package api

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"facesearch/pkg/face"
)

// A gauges collects, when it is asked, what is so at that moment: the queue and, where the
// gallery can tell, its size and its index.
type gauges struct{ server *Server }

// A statistician is a Gallery that can tell what it holds, without much work however often it is
// asked.
type statistician interface {
	Stats(ctx context.Context) (face.Stats, error)
}

// A gauge is one figure with what it is called.
type gauge struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
}

func newGauge(kind prometheus.ValueType, name, help string, labels ...string) gauge {
	return gauge{prometheus.NewDesc("facesearch_"+name, help, labels, nil), kind}
}

const (
	now   = prometheus.GaugeValue
	total = prometheus.CounterValue
)

var (
	queueWorking = newGauge(now, "queue_working", "Pictures that are worked on.")
	queueWaiting = newGauge(now, "queue_waiting", "Requests that wait for a worker.")
	queueRefused = newGauge(total, "queue_refused_total", "Requests refused with 503 because the waiting line was full.")

	gallerySessions    = newGauge(now, "gallery_sessions", "Sessions that are stored, of all applications together.")
	gallerySearchable  = newGauge(now, "gallery_searchable_sessions", "Sessions that searches compare with: approved or on the blocklist.")
	galleryBlocklisted = newGauge(now, "gallery_blocklisted_sessions", "Sessions that are on the blocklist.")

	indexInfo    = newGauge(now, "index_info", "1, with the kind of the index.", "kind")
	indexMemory  = newGauge(now, "index_memory_bytes", "Memory of the index, about.")
	indexSamples = newGauge(total, "index_recall_samples_total", "Answers of an index that may miss neighbours that were compared with exact ones.")
	indexWanted  = newGauge(total, "index_recall_neighbours_wanted_total", "Neighbours that the compared answers should have named.")
	indexFound   = newGauge(total, "index_recall_neighbours_found_total", "Neighbours that they did name; found by wanted is the recall.")
)

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) {
	for _, each := range []gauge{
		queueWorking, queueWaiting, queueRefused, gallerySessions, gallerySearchable, galleryBlocklisted,
		indexInfo, indexMemory, indexSamples, indexWanted, indexFound,
	} {
		to <- each.description
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	ready := g.server.ready.Load()
	if ready == nil {
		return
	}
	send := func(what gauge, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(what.description, what.kind, value, labels...)
	}
	load := ready.service.Load()
	send(queueWorking, float64(load.Working))
	send(queueWaiting, float64(load.Waiting))
	send(queueRefused, float64(load.Refused))
	gallery, ok := ready.gallery.(statistician)
	if !ok {
		return
	}
	stats, err := gallery.Stats(context.Background())
	if err != nil {
		return // what is not known is left out
	}
	send(gallerySessions, float64(stats.Sessions))
	send(gallerySearchable, float64(stats.Searchable))
	send(galleryBlocklisted, float64(stats.Blocklisted))
	send(indexInfo, 1, stats.Index)
	if stats.Remote {
		return
	}
	send(indexMemory, float64(stats.IndexBytes))
	send(indexSamples, float64(stats.RecallSamples))
	send(indexWanted, float64(stats.RecallWanted))
	send(indexFound, float64(stats.RecallFound))
}
