package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"facesearch/pkg/client"
)

// RequestsMax bounds rate times duration: a benchmark is not to become an attack, nor a bill.
const RequestsMax = 100_000

// ClientsMax bounds LoadOptions.Clients.
const ClientsMax = 1000

// ErrTooManyRequests is returned when rate times duration exceeds RequestsMax.
var ErrTooManyRequests = fmt.Errorf("rate times duration is over %d requests", RequestsMax)

// A Target is a server to put load on.
type Target struct {
	Name   string
	Server *client.Client
}

// A NamedPicture is a file to search with.
type NamedPicture struct {
	Name string
	Data []byte
}

// LoadOptions say what to send.
type LoadOptions struct {
	Targets  []Target // one, or two that are compared
	Pictures []NamedPicture
	Rate     float64 // requests a second, to each target
	// Clients that each send their next request when the last is answered, to one target; 0: Rate says when
	// requests are due, however slow the answers are.
	Clients  int
	Duration time.Duration
	Poisson  bool // arrivals at random, as of many clients; else at even distances
	Seed     uint64
	Timeout  time.Duration // of one request, from when it is sent
	// Requests under way at each target; one that is due while there are so many is counted and not sent.
	InFlightMax int
	Rotate      bool
	Saved       bool // let the server keep the searches
	// Process is the server's, on this machine, whose memory is watched; 0 for none.
	Process  int
	Progress Progress
}

// How a request ended, beside "status" with a number.
const (
	endedOK         = "ok"
	endedTimeout    = "timeout"
	endedConnection = "connection"
	endedAnswer     = "answer" // not what the API says
	endedStopped    = "stopped"
	endedNotSent    = "not sent"
)

// An outcome is what became of one arrival at one target.
type outcome struct {
	due     time.Duration // when it was meant to be sent, from the start
	latency time.Duration // from then on
	ended   string
	steps   []step // from Server-Timing
	answer  *client.SearchAnswer
}

func (o *LoadOptions) validate() error {
	switch {
	case len(o.Targets) < 1 || len(o.Targets) > 2:
		return errors.New("one server is measured, or two are compared")
	case len(o.Pictures) == 0:
		return errors.New("there are no pictures to search with")
	case o.Clients < 0 || o.Clients > ClientsMax:
		return fmt.Errorf("clients are a number from 0 to %d", ClientsMax)
	case o.Clients > 0 && len(o.Targets) != 1:
		return errors.New("clients that wait for their answers are for one server alone")
	case !(o.Rate > 0) || o.Duration <= 0 || o.Timeout <= 0 || o.InFlightMax < 1:
		return errors.New("rate, duration, timeout and requests under way have to be above 0")
	case o.Clients == 0 && !(o.Rate*o.Duration.Seconds() <= RequestsMax):
		return ErrTooManyRequests
	}
	return nil
}

// arrivals are the times at which requests are due, by the options alone: a slow server does not change them.
func (o *LoadOptions) arrivals() (due []time.Duration) {
	random := rand.New(rand.NewPCG(o.Seed, 1))
	gap := 1 / o.Rate // seconds
	for at := 0.0; at < o.Duration.Seconds() && len(due) < 2*RequestsMax; {
		due = append(due, time.Duration(at*float64(time.Second)))
		if o.Poisson {
			at += gap * random.ExpFloat64()
		} else {
			at = gap * float64(len(due))
		}
	}
	return due
}

// load sends every request when it is due, to each target, and returns what became of them by target and arrival.
func (o *LoadOptions) load(ctx context.Context) [][]outcome {
	due := o.arrivals()
	outcomes := make([][]outcome, len(o.Targets))
	underWay := make([]chan struct{}, len(o.Targets))
	for t := range o.Targets {
		outcomes[t] = make([]outcome, len(due))
		underWay[t] = make(chan struct{}, o.InFlightMax)
	}
	var group sync.WaitGroup
	started := time.Now()
	sent := 0
	for ; sent < len(due); sent++ {
		i := sent
		if !sleepUntil(ctx, started.Add(due[i])) {
			break
		}
		o.Progress("requests", i, len(due))
		for t := range o.Targets {
			into := &outcomes[t][i]
			into.due = due[i]
			select {
			case underWay[t] <- struct{}{}:
			default:
				into.ended = endedNotSent
				continue
			}
			group.Go(func() {
				o.send(ctx, o.Targets[t].Server, o.Pictures[i%len(o.Pictures)].Data, into)
				into.latency = time.Since(started) - into.due
				<-underWay[t]
			})
		}
	}
	group.Wait()
	for t := range outcomes {
		outcomes[t] = outcomes[t][:sent]
	}
	return outcomes
}

func sleepUntil(ctx context.Context, then time.Time) bool {
	wait := time.Until(then)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (o *LoadOptions) send(ctx context.Context, server *client.Client, picture []byte, into *outcome) error {
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	answer, err := server.Search(limited, picture, client.SearchOptions{Rotate: o.Rotate, Unsaved: !o.Saved})
	into.ended = ending(ctx, err)
	if err != nil {
		return err
	}
	into.steps = serverTiming(answer.Header)
	answer.Raw, answer.Header = nil, nil // not to be kept for every request
	into.answer = answer
	return nil
}

// ending names how a request ended.
func ending(ctx context.Context, err error) string {
	var status *client.Error
	var network net.Error
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return endedOK
	case ctx.Err() != nil:
		return endedStopped
	case errors.As(err, &status):
		return "status " + strconv.Itoa(status.Status)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return endedTimeout
	case errors.As(err, &syntax), errors.As(err, &kind):
		return endedAnswer
	}
	return endedConnection
}

// The bounds of what is believed of a Server-Timing header.
const (
	timingStepsMax = 16
	timingNameMax  = 32
)

// A step is a part of the server's work.
type step struct {
	name string
	took time.Duration
}

// serverTiming reads "name;dur=milliseconds, …"; what has no duration is passed over.
func serverTiming(header http.Header) (steps []step) {
	for _, entry := range strings.Split(strings.Join(header.Values("Server-Timing"), ","), ",") {
		name, parameters, _ := strings.Cut(entry, ";")
		name = strings.TrimSpace(name)
		if name == "" || len(name) > timingNameMax || len(steps) == timingStepsMax {
			continue
		}
		for _, parameter := range strings.Split(parameters, ";") {
			key, value, _ := strings.Cut(parameter, "=")
			milliseconds, err := strconv.ParseFloat(strings.Trim(strings.TrimSpace(value), `"`), 64)
			if strings.TrimSpace(key) == "dur" && err == nil && milliseconds >= 0 && milliseconds < 1e9 {
				steps = append(steps, step{name, time.Duration(milliseconds * float64(time.Millisecond))})
				break
			}
		}
	}
	return steps
}
