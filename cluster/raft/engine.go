// Command raft is etcd's Raft core as a C archive: the replicas of many shards
// behind one call, flat bytes in and flat bytes out. It has no clock, disk or
// network; cluster/raft_engine.cpp is the other side of the call.
//
// An engine belongs to one thread at a time; engines know nothing of each
// other.
package main

// #include <stdint.h>
import "C"

import (
	"fmt"
	"math/rand"
	"runtime/cgo"
	"sync"
	"unsafe"

	"go.etcd.io/etcd/raft"
)

// engine holds the replicas of one node that live on one thread.
type engine struct {
	self     uint64     // the node's number among the voters
	replicas []*replica // by slot; nil where one was closed
	touched  []uint32   // slots of the replicas that may have something to say
	out      output
}

//export troupe_raft_new
func troupe_raft_new(self C.uint64_t) C.uintptr_t {
	return C.uintptr_t(cgo.NewHandle(&engine{self: uint64(self)}))
}

//export troupe_raft_delete
func troupe_raft_delete(handle C.uintptr_t) {
	h := cgo.Handle(handle)
	h.Value().(*engine).out.free()
	h.Delete()
}

// troupe_raft_turn carries out the commands in `in` and answers with what
// follows from them. The answer belongs to the engine until its next turn.
//
//export troupe_raft_turn
func troupe_raft_turn(handle C.uintptr_t, in *C.uint8_t, inSize C.size_t, outSize *C.size_t) *C.uint8_t {
	e := cgo.Handle(handle).Value().(*engine)
	e.turn(unsafe.Slice((*byte)(in), int(inSize)))
	*outSize = C.size_t(e.out.size)
	return (*C.uint8_t)(e.out.memory)
}

// turn ends with a failed record and nothing else if the core panics: it found
// one of its rules broken, and the engine must not be used again.
func (e *engine) turn(in []byte) {
	e.out.size = 0
	defer func() {
		if what := recover(); what != nil {
			e.out.size = 0
			e.out.put(outFailed, 0, []byte(fmt.Sprint(what)))
		}
	}()
	for len(in) > 0 {
		var c command
		c, in = nextCommand(in)
		e.carryOut(c)
	}
	for _, slot := range e.touched {
		if r := e.replicas[slot]; r != nil {
			r.touched = false
			r.report(&e.out)
		}
	}
	e.touched = e.touched[:0]
}

func (e *engine) carryOut(c command) {
	switch c.kind {
	case inOpen:
		for int(c.slot) >= len(e.replicas) {
			e.replicas = append(e.replicas, nil)
		}
		e.replicas[c.slot] = openReplica(e.self, c.slot, c.body)
	case inClose:
		e.replicas[c.slot] = nil
		return
	case inTick:
		count := c.body.uint64()
		for _, r := range e.replicas {
			if r != nil {
				r.tick(count)
				e.touch(r)
			}
		}
		return
	}
	r := e.replicas[c.slot]
	switch c.kind {
	case inStep:
		r.step(c.body)
	case inPropose:
		r.propose(c.body, &e.out)
	case inSynced:
		r.synced(&e.out)
	case inCampaign:
		r.node.Campaign() // answers false where there is nothing to win
	case inTransfer:
		r.transfer(c.body.uint64())
	}
	e.touch(r)
}

func (e *engine) touch(r *replica) {
	if !r.touched {
		r.touched = true
		e.touched = append(e.touched, r.slot)
	}
}

// lockedRand is what the variable below points to in the core.
type lockedRand struct {
	mu   sync.Mutex
	rand *rand.Rand
}

// coreRand is what the core draws election timeouts from, seeded with the time
// of day. It is not exported, and a simulation has to be repeatable.
//
//go:linkname coreRand go.etcd.io/etcd/raft.globalRand
var coreRand unsafe.Pointer

// troupe_raft_seed makes election timeouts of the process repeatable.
//
//export troupe_raft_seed
func troupe_raft_seed(seed C.uint64_t) {
	of := (*lockedRand)(coreRand)
	of.mu.Lock()
	of.rand = rand.New(rand.NewSource(int64(seed)))
	of.mu.Unlock()
}

// silent takes the core's diary, of which nobody needs a line; it panics where
// the core says that it cannot go on.
type silent struct{}

func (silent) Debug(...interface{})            {}
func (silent) Debugf(string, ...interface{})   {}
func (silent) Error(...interface{})            {}
func (silent) Errorf(string, ...interface{})   {}
func (silent) Info(...interface{})             {}
func (silent) Infof(string, ...interface{})    {}
func (silent) Warning(...interface{})          {}
func (silent) Warningf(string, ...interface{}) {}
func (silent) Fatal(v ...interface{})          { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(format string, v ...interface{}) {
	panic(fmt.Sprintf(format, v...))
}
func (silent) Panic(v ...interface{}) { panic(fmt.Sprint(v...)) }
func (silent) Panicf(format string, v ...interface{}) {
	panic(fmt.Sprintf(format, v...))
}

func init() { raft.SetLogger(silent{}) }

func main() {} // a C archive has one, which nobody calls
