# Rows of the state database: the applied state of a shard.
#
# Stored for years and read by newer programs: fields are only added, at the
# end, with a default that means what rows without them meant. Nothing is
# removed, renumbered or given another type or meaning.
#
# Times are milliseconds since 1970 of the shard's time; 2^63 - 1 is never.

@0xe81f07a2b6d3c945;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::cluster::wire");

using Common = import "common.capnp";
using Log = import "log.capnp";

struct AppliedRow {
  # Family `applied`, one for each shard: where it stands.
  index @0 :UInt64;           # of the log entry applied last
  now @1 :Int64;              # milliseconds, of that entry; not never
  sequence @2 :UInt64;        # of the last message
  lastEpoch @3 :UInt64;
  nextDelayed @4 :UInt64;     # number of the next delayed message
  nextFilter @5 :UInt32;      # number of the next filter
  format @6 :UInt16;          # of all rows of the shard: 1
  forwarded @7 :List(Common.Cursor);   # last sequence sent, by shard
  appliedFrom @8 :List(Common.Cursor); # last sequence applied, by shard
  # How many there are:
  sessions @9 :UInt64;
  offline @10 :UInt64;        # sessions without an owner
  retained @11 :UInt64;
  delayed @12 :UInt64;
  backlog @13 :UInt64;        # messages in pages
  backlogBytes @14 :UInt64;   # their topics, payloads and properties
  shared @15 :UInt64;         # rows of `message`
}

struct SessionRow {
  # Family `session`, by Client Identifier.
  record @0 :Common.SessionRecord; # not null
  will @1 :Common.Will;            # null: none
  incarnation @2 :UInt64;
  epoch @3 :UInt64;                # of the owner, or of the last one
  expires @4 :Int64 = 0x7fffffffffffffff; # milliseconds, if nobody owns it
  willDue @5 :Int64 = 0x7fffffffffffffff; # milliseconds, if nobody owns it
  expiryInterval @6 :UInt32;       # seconds; 2^32 - 1: never
  owned @7 :Bool;
}

struct FilterRow {
  # Family `filter`, by filter and Share Name.
  id @0 :UInt32;      # its number
  holders @1 :UInt64; # how many hold it
}

struct HolderRow {
  # Family `holder`, by Client Identifier and filter number.
  start @0 :UInt64;      # sequence; messages behind it
  identifier @1 :UInt32; # Subscription Identifier, 0: none
  options @2 :UInt8;     # Subscription Options, MQTT 5.0 3.8.3.1
}

struct HolderCursorRow {
  # Family `holder`, by Client Identifier and filter number 0.
  sequence @0 :UInt64; # done up to here, whatever the filter
}

struct GroupRow {
  # Family `group`, by filter number.
  upTo @0 :UInt64;       # sequence; done up to here, but
  open @1 :List(UInt64); # these; ascending
  done @2 :List(UInt64); # and behind it these, ascending
  declared @3 :Bool;     # held in the name of nobody, too
}

struct PageRow {
  # Family `backlog`, by filter number and its last sequence.
  struct Entry {
    sequence @0 :UInt64;
    # What follows is of the message, as in `Common.Message`.
    receivedAt @1 :Int64;
    publisher @2 :UInt64;
    expiryInterval @3 :UInt32;
    payloadSize @4 :UInt32;
    propertiesSize @5 :UInt32;
    topicSize @6 :UInt16;    # 0: the topic of the last message that has one
    qos @7 :UInt8;
    retain @8 :Bool;
    hasExpiry @9 :Bool;
    elsewhere @10 :Bool;     # the message is in family `message`
  }
  entries @0 :List(Entry); # at least one, ascending
  # Topic, properties and payload of each message, one behind the other.
  bytes @1 :Data;
}

struct MessageRow {
  # Family `message`, by sequence: one that is in pages of several filters.
  message @0 :Common.Message;
  filters @1 :List(UInt32); # their numbers
}

struct TimerRow {
  # Family `timer`, by due time, kind and what it is for.
  message @0 :Common.Message; # of a delayed one; else null
}

struct RetainedRow {
  # Family `retained`, by topic.
  message @0 :Common.Message;
  sequence @1 :UInt64; # of the message in the shard
}

# The values of families `owned` and `exclusive` are empty.

struct InboundRow {
  # Family `inbound`, by Client Identifier and Packet Identifier.
  incarnation @0 :UInt64; # of the session
}

# The values of family `outbox` are Log.Forward.
using OutboxRow = Log.Forward;
