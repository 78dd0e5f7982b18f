package record

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
)

// together is how many learners' records are made in one go: some MB of
// documents, and few enough for the locks to be short.
const together = 16

// Graduate assembles the full records of many learners, such as a whole year,
// with as many workers. told hears of each, from one goroutine at a time and in no
// order; an error of it ends the run. What was committed stays: a second run
// finds it and goes on.
func (s *Service) Graduate(ctx context.Context, who access.Actor, learners []learner.ID, workers int, told func(Assembled) error) error {
	return s.GraduateAs(ctx, who, Want{}, learners, workers, told)
}

// GraduateAs is Graduate for records of any type.
func (s *Service) GraduateAs(ctx context.Context, who access.Actor, w Want, learners []learner.ID, workers int, told func(Assembled) error) error {
	if err := access.Check(who, access.Assemble); err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan []learner.ID)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range max(1, workers) {
		all.Go(func() {
			known := aligned{}
			for ids := range work {
				out, err := s.batch(ctx, who, w, known, ids)
				mu.Lock()
				for i := 0; err == nil && i < len(out); i++ {
					err = told(out[i])
				}
				mu.Unlock()
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for len(learners) > 0 && ctx.Err() == nil {
		n := min(len(learners), together)
		select {
		case work <- learners[:n]:
			learners = learners[n:]
		case <-ctx.Done():
		}
	}
	close(work)
	all.Wait()
	return context.Cause(ctx)
}

// batch assembles the records of some learners together, and each alone when
// one of them is in the way of the others.
func (s *Service) batch(ctx context.Context, who access.Actor, w Want, known aligned, ids []learner.ID) ([]Assembled, error) {
	var found map[learner.ID]learner.Learner
	var o order
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		if found, err = learner.ByIDsInTx(ctx, tx, who, ids); err != nil {
			return err
		}
		o, err = s.ordered(ctx, tx, who, w)
		return err
	})
	if err != nil {
		return nil, err
	}
	var people []learner.Learner
	var out []Assembled
	for _, id := range ids {
		if l, ok := found[id]; ok {
			people = append(people, l)
			continue
		}
		out = append(out, Assembled{LearnerID: id, Err: fault.Missing("learner")})
	}
	o.known = known
	made, err := s.make(ctx, who, o, people, nil)
	f, ok := fault.Of(err)
	if err == nil || !ok || f.Kind == fault.Unavailable || f.Kind == fault.Forbidden {
		return append(out, made...), err
	}
	for _, l := range people {
		a := Assembled{LearnerID: l.ID}
		r, made, err := s.assembled(ctx, who, nil, string(l.ID), w)
		if err == nil {
			a.Record, a.New = &r, made
		} else if a.Err, ok = fault.Of(err); !ok || a.Err.Kind == fault.Unavailable {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}
