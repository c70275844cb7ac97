# Entries of the replicated log.
#
# Stored, sent to other nodes and read by newer programs: fields are only added,
# at the end, with a default that means what entries without them meant; a new
# command is a new member of the union, proposed once every node knows it.
# Nothing is removed, renumbered or given another type or meaning.
#
# Who waits for a command (reference and token) is not stored: it means
# something to the process that proposed it only.

@0xc7d41e5b90a8f362;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::cluster::wire");

using Common = import "common.capnp";

struct LogEntry {
  # The root. Lies in log.db under shard and index.
  at @0 :Int64;      # milliseconds, the shard's time at the proposal; not never
  format @1 :UInt16; # 1
  commands @2 :List(Command);
}

struct HardState {
  # What a replica must not forget of the elections it took part in. A root of
  # its own: lies in log.db under its shard. On a single node there is none.
  term @0 :UInt64;
  vote @1 :UInt64;   # the node that has its vote in this term; 0: none
  commit @2 :UInt64; # committed up to here, at least; a hint
  format @3 :UInt16; # 1
}

struct Command {
  union {
    unset @0 :Void; # never written
    publish :group {
      # A PUBLISH whose topic hashes to the shard. It lies in the command
      # itself, as most commands are of this kind.
      message @1 :Common.Message;
      inbound @2 :Common.InboundIdentity; # null: not QoS 2 of a durable session
      delay @3 :UInt32;                   # seconds, `$delayed`
    }
    claim @4 :Claim;
    release @5 :Release;
    subscribe @6 :Subscribe;
    checkpoint @7 :Checkpoint;
    inbound @8 :Inbound;
    inboundEnd @9 :Common.InboundIdentity; # the Packet Identifier is free
    inboundForget @10 :InboundForget;
    outbound @11 :Outbound;
    hold @12 :Hold;
    advance @13 :Advance;
    groupDone @14 :GroupDone;
    groupReturn @15 :GroupReturn;
    removeRetained @16 :Text; # the topic
    time @17 :Void;           # timers up to the entry's time are due
    restart @18 :Text;        # who owned a session is gone: those behind it
    forward @19 :Forward;
    forwarded @20 :Forwarded;
    groupCursor @21 :GroupCursor;
  }
}

struct Claim {
  # A CONNECT asks to own a session.
  clientId @0 :Text;
  will @1 :Common.Will;      # null: none
  expiryInterval @2 :UInt32; # seconds; 2^32 - 1: never
  cleanStart @3 :Bool;
}

struct Release {
  # The owner gives a session up.
  clientId @0 :Text;
  record @1 :Common.SessionRecord; # null: the session ends
  epoch @2 :UInt64;                # as granted
  expiryInterval @3 :UInt32;       # seconds; 2^32 - 1: never
  publishesWill @4 :Bool;          # false: the Will is discarded
}

struct Subscribe {
  # The owner of a durable session subscribes, or unsubscribes.
  clientId @0 :Text;
  subscription @1 :Common.Subscription;
  epoch @2 :UInt64;
  subscribes @3 :Bool;
}

struct Checkpoint {
  # How far the owner of a durable session has come.
  clientId @0 :Text;
  kept @1 :List(Common.KeptMessage); # in place of what was known of that
  cursors @2 :List(Common.Cursor);   # those that have moved
  epoch @3 :UInt64;
}

struct Inbound {
  # A QoS 2 publication of a session goes to a shard, or has ended there.
  clientId @0 :Text;
  epoch @1 :UInt64;
  packetIdentifier @2 :UInt16; # not 0
  shard @3 :UInt16;
  begins @4 :Bool;
}

struct InboundForget {
  # The session has ended, and its unfinished QoS 2 publications with it.
  clientId @0 :Text;
  incarnation @1 :UInt64;
}

struct Outbound {
  # What the owner of a durable session is about to send at QoS 2.
  clientId @0 :Text;
  states @1 :List(Common.OutboundState); # those that have changed
  epoch @2 :UInt64;
  kept @3 :List(Common.KeptMessage); # sent now, the session's own
  taken @4 :List(Common.GroupPlace); # where groups need not keep these
}

struct Hold {
  # A durable session holds, or no longer holds, a filter in the shard.
  clientId @0 :Text;
  subscription @1 :Common.Subscription;
  holds @2 :Bool;
}

struct Advance {
  # The session is done with all its messages of the shard up to sequence.
  clientId @0 :Text;
  sequence @1 :UInt64;
}

struct GroupDone {
  # A member has acknowledged a message of a durable group.
  shareName @0 :Text;
  filter @1 :Text;
  sequence @2 :UInt64;
}

struct GroupReturn {
  # A message of a durable group that no live member could take.
  shareName @0 :Text;
  filter @1 :Text;
  message @2 :Common.Message;
  sequence @3 :UInt64; # where the shard keeps it; 0: it does not
}

struct GroupCursor {
  # Every message of a durable group up to upTo is done with, but `open`.
  shareName @0 :Text;
  filter @1 :Text;
  upTo @2 :UInt64;
  open @3 :List(UInt64); # ascending
}

struct Forward {
  # A command that another shard's state led to; applied once. Also a row of
  # `outbox` in the state database of the shard that sends it.
  what @0 :Command;    # not a Forward
  sequence @1 :UInt64; # counts what `from` forwards to this shard
  from @2 :UInt16;     # shard
}

struct Forwarded {
  # Shard `to` has applied what was forwarded to it up to sequence.
  to @0 :UInt16;
  sequence @1 :UInt64;
}
