package main

import (
	"go.etcd.io/etcd/raft"
	"go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/raft/tracker"
)

// Limits of the core.
const (
	maxMessageBytes = 1 << 20 // of entries in one message
	maxInflight     = 256     // messages to one follower that were not answered
)

// memory is the core's view of the log: all of it, since nothing is trimmed.
// What is in it may still be on its way to the disk.
type memory struct {
	*raft.MemoryStorage
	members raftpb.ConfState
}

func (m memory) InitialState() (raftpb.HardState, raftpb.ConfState, error) {
	hard, _, err := m.MemoryStorage.InitialState()
	return hard, m.members, err
}

// replica is one shard's member of its Raft group.
type replica struct {
	self    uint64
	slot    uint32
	node    *raft.RawNode
	log     memory
	most    uint64      // ticks that mean something at once
	held    *raft.Ready // on its way to the disk; nil: nothing is
	said    status      // as the other side knows it
	touched bool
}

// status is what the other side is told of a replica.
type status struct {
	role   raft.StateType
	leader uint64
	term   uint64
}

// openReplica reads: ticks of an election and of a heartbeat, the voters, what
// is applied, the hard state, and the entries of the log from index 1.
func openReplica(self uint64, slot uint32, in body) *replica {
	election, heartbeat := in.uint64(), in.uint64()
	log := memory{MemoryStorage: raft.NewMemoryStorage()}
	log.members.Voters = make([]uint64, in.uint64())
	for i := range log.members.Voters {
		log.members.Voters[i] = in.uint64()
	}
	applied := in.uint64()
	log.SetHardState(raftpb.HardState{Term: in.uint64(), Vote: in.uint64(), Commit: in.uint64()})
	var entries []raftpb.Entry
	for index := uint64(1); len(in) > 0; index++ {
		term, size := in.uint64(), in.uint64()
		entries = append(entries, raftpb.Entry{Index: index, Term: term, Data: in.copy(size)})
	}
	log.Append(entries)
	node, err := raft.NewRawNode(&raft.Config{
		ID:              self,
		ElectionTick:    int(election),
		HeartbeatTick:   int(heartbeat),
		Storage:         log,
		Applied:         applied,
		MaxSizePerMsg:   maxMessageBytes,
		MaxInflightMsgs: maxInflight,
		// A leader that hears of no majority gives up, and who was away does
		// not disturb a leader that is well.
		CheckQuorum: true,
		PreVote:     true,
		// Who proposes has to hear what became of it.
		DisableProposalForwarding: true,
		Logger:                    silent{},
	})
	if err != nil {
		panic(err)
	}
	return &replica{self: self, slot: slot, node: node, log: log, most: 2*election + 1}
}

// tick passes time. After a pause of more than two election timeouts a leader
// has given up, or a follower stood for election: the rest is left out.
func (r *replica) tick(count uint64) {
	if count > r.most {
		count = r.most
	}
	for ; count > 0; count-- {
		r.node.Tick()
	}
}

// step takes a message of another replica. One that cannot be read, is for
// somebody else, or of a kind that no replica sends, is as good as lost on its
// way. What is cut off reads as a message with zeroes, which is longer.
func (r *replica) step(in body) {
	var m raftpb.Message
	if m.Unmarshal(in) != nil || m.Size() != len(in) || m.To != r.self {
		return
	}
	switch m.Type {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp,
		raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgHeartbeat,
		raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow:
		r.node.Step(m) // its errors are about kinds that are left out here
	}
}

// propose reads a number, the term that the proposer is the leader of, the index
// that it has in mind, and an entry. What another term would have to take is
// refused: the proposer has yet to hear that it leads no more. So is everything
// while leadership is handed over, and what would get another index because one
// before it was refused.
func (r *replica) propose(in body, out *output) {
	number, term, index := in.uint64(), in.uint64(), in.uint64()
	now := r.node.BasicStatus()
	if now.RaftState != raft.StateLeader || now.Term != term ||
		index != r.lastOfLeader()+1 ||
		r.node.Propose(in.copy(uint64(len(in)))) != nil {
		out.put(outRefused, r.slot, nil, number)
	}
}

// lastOfLeader is the index of its last entry, as a leader knows it of itself.
func (r *replica) lastOfLeader() (last uint64) {
	r.node.WithProgress(func(id uint64, _ raft.ProgressType, of tracker.Progress) {
		if id == r.self {
			last = of.Match
		}
	})
	return last
}

// transfer has another voter lead. A follower would pass the wish on to its
// leader, and nobody but that may have it.
func (r *replica) transfer(to uint64) {
	if r.node.BasicStatus().RaftState == raft.StateLeader {
		r.node.TransferLeader(to)
	}
}

// synced: what was handed over for the disk is there. Only now may leave what
// relies on it: votes, replies, and what is committed.
func (r *replica) synced(out *output) {
	if r.held == nil {
		return
	}
	for i := range r.held.Messages {
		r.send(&r.held.Messages[i], out)
	}
	r.commit(r.held.CommittedEntries, out)
	r.node.Advance(*r.held)
	r.held = nil
}

// report hands out what the core has to say, up to something for the disk.
func (r *replica) report(out *output) {
	for r.held == nil && r.node.HasReady() {
		ready := r.node.Ready()
		if !ready.MustSync {
			r.sayStatus(out)
			// At most a new commit index: a hint, which the leader repeats.
			for i := range ready.Messages {
				r.send(&ready.Messages[i], out)
			}
			r.commit(ready.CommittedEntries, out)
			r.node.Advance(ready)
			continue
		}
		before, _, _ := r.log.InitialState()
		if !raft.IsEmptyHardState(ready.HardState) {
			r.log.SetHardState(ready.HardState)
			out.put(outHard, r.slot, nil, ready.Term, ready.Vote, ready.Commit)
		}
		r.log.Append(ready.Entries)
		for i := range ready.Entries {
			e := &ready.Entries[i]
			out.put(outAppend, r.slot, e.Data, e.Index, e.Term)
		}
		r.sayStatus(out) // when the first entry of a new leader is known
		now, _, _ := r.log.InitialState()
		if now.Term == before.Term && now.Vote == before.Vote {
			ready.Messages = r.sendAppends(ready.Messages, out)
		}
		r.held = &ready
	}
}

// sendAppends sends what a leader may send before its own disk has the entries
// (Raft thesis, 10.2.1), and returns the rest.
func (r *replica) sendAppends(all []raftpb.Message, out *output) []raftpb.Message {
	var rest []raftpb.Message
	for i := range all {
		if all[i].Type == raftpb.MsgApp {
			r.send(&all[i], out)
		} else {
			rest = append(rest, all[i])
		}
	}
	return rest
}

func (r *replica) send(m *raftpb.Message, out *output) {
	size := m.Size()
	to := out.begin(outSend, r.slot, 8+size)
	order.PutUint64(to, m.To)
	if _, err := m.MarshalTo(to[8:]); err != nil {
		panic(err)
	}
}

func (r *replica) commit(entries []raftpb.Entry, out *output) {
	for i := range entries {
		e := &entries[i]
		out.put(outCommitted, r.slot, e.Data, e.Index, e.Term)
	}
}

func (r *replica) sayStatus(out *output) {
	core := r.node.BasicStatus()
	now := status{core.RaftState, core.Lead, core.Term}
	if now != r.said {
		r.said = now
		out.put(outStatus, r.slot, nil, uint64(now.role), now.leader, now.term)
	}
}
