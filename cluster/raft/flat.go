package main

// #include <stdlib.h>
import "C"

import (
	"encoding/binary"
	"unsafe"
)

// A record on the way in or out: kind (1 byte), slot (4), size of the body (4),
// body. Numbers are little-endian; those in bodies have 8 bytes. The kinds are
// those of raft_engine.cpp.
const headSize = 9

const (
	inOpen     = 1 // see openReplica
	inClose    = 2
	inTick     = 3 // for all replicas; count
	inStep     = 4 // message
	inPropose  = 5 // number, term, index, entry
	inSynced   = 6 // all that was handed over with outHard and outAppend
	inCampaign = 7
	inTransfer = 8 // node
)

const (
	outStatus    = 1 // role, leader, term
	outHard      = 2 // term, vote, commit: for the disk
	outAppend    = 3 // index, term, entry: for the disk; what is there from index on goes
	outSend      = 4 // node, message
	outCommitted = 5 // index, term, entry
	outRefused   = 6 // number
	outFailed    = 7 // text
)

var order = binary.LittleEndian

type command struct {
	kind byte
	slot uint32
	body body
}

// body borrows from the caller for the turn.
type body []byte

func nextCommand(in []byte) (command, []byte) {
	end := headSize + int(order.Uint32(in[5:]))
	return command{in[0], order.Uint32(in[1:]), in[headSize:end]}, in[end:]
}

func (b *body) uint64() uint64 {
	x := order.Uint64(*b)
	*b = (*b)[8:]
	return x
}

func (b *body) copy(size uint64) []byte {
	x := append([]byte(nil), (*b)[:size]...)
	*b = (*b)[size:]
	return x
}

// output is memory of C, so that C may keep looking at it after the call.
type output struct {
	memory   unsafe.Pointer
	size     int
	capacity int
}

// begin adds a record and returns its body, to be written at once.
func (o *output) begin(kind byte, slot uint32, size int) []byte {
	at := o.size
	o.size += headSize + size
	if o.size > o.capacity {
		o.capacity = 2*o.size + 4096
		o.memory = C.realloc(o.memory, C.size_t(o.capacity))
		if o.memory == nil {
			panic("out of memory")
		}
	}
	record := unsafe.Slice((*byte)(o.memory), o.size)[at:]
	record[0] = kind
	order.PutUint32(record[1:], slot)
	order.PutUint32(record[5:], uint32(size))
	return record[headSize:]
}

func (o *output) put(kind byte, slot uint32, tail []byte, numbers ...uint64) {
	to := o.begin(kind, slot, 8*len(numbers)+len(tail))
	for i, x := range numbers {
		order.PutUint64(to[8*i:], x)
	}
	copy(to[8*len(numbers):], tail)
}

func (o *output) free() { C.free(o.memory) }
