# What entries of the log and rows of the state database have in common.
#
# Stored for years and read by newer programs: fields are only added, at the
# end, with a default that means what records without them meant. Nothing is
# removed, renumbered or given another type or meaning.
#
# Times are milliseconds since 1970 of the shard's time; 2^63 - 1 is never.

@0xa3b9d0f64c21e785;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::cluster::wire");

struct Message {
  # An Application Message.
  topic @0 :Text;            # 1 to 65,535 bytes
  payload @1 :Data;
  properties @2 :Data;
  # Application properties as they are in a PUBLISH of MQTT 5.0 (3.3.2.3),
  # one behind the other.
  qos @3 :UInt8;             # as published, 0 to 2
  retain @4 :Bool;
  hasExpiry @5 :Bool;
  expiryInterval @6 :UInt32; # seconds, if hasExpiry
  receivedAt @7 :Int64;      # milliseconds; not never
  publisher @8 :UInt64;      # hash of the Client Identifier, 0: nobody
}

struct Subscription {
  # Of a durable session.
  filter @0 :Text;       # 1 to 65,535 bytes, without $share/name/
  shareName @1 :Text;    # empty: not shared
  options @2 :UInt8;     # Subscription Options, MQTT 5.0 3.8.3.1
  exclusive @3 :Bool;
  identifier @4 :UInt32; # Subscription Identifier, 0: none
}

struct Cursor {
  # A place in the messages or forwarded commands of a shard.
  shard @0 :UInt16;
  sequence @1 :UInt64;
}

struct KeptMessage {
  # A message that a session still has to deliver.
  message @0 :Message;
  moreIdentifiers @1 :List(UInt32); # behind subscriptionIdentifier
  subscriptionIdentifier @2 :UInt32; # 0: none
  packetIdentifier @3 :UInt16;      # 0: not sent yet
  shard @4 :UInt16 = 0xFFFF;        # that keeps it too; 0xFFFF: none
  sequence @5 :UInt64;              # there
  qos @6 :UInt8;                    # as granted
  retain @7 :Bool;                  # as it goes out
  released @8 :Bool;                # QoS 2: PUBREC has come
}

struct GroupPlace {
  # A message that a shard keeps for a shared group.
  shareName @0 :Text;
  filter @1 :Text;
  shard @2 :UInt16;
  sequence @3 :UInt64;
}

enum OutboundPhase {
  sent @0;
  released @1; # PUBREC has come
  finished @2; # PUBCOMP has come
}

struct OutboundState {
  # A QoS 2 message of a topic shard on its way to a durable session.
  shard @0 :UInt16;
  packetIdentifier @1 :UInt16; # not 0
  phase @2 :OutboundPhase;
  sequence @3 :UInt64;         # in the shard
}

struct InboundIdentity {
  # A QoS 2 publication of a session, until its PUBREL.
  clientId @0 :Text;
  incarnation @1 :UInt64;      # of the session
  packetIdentifier @2 :UInt16; # not 0
}

struct InboundPlace {
  # To which shard an inbound QoS 2 publication went.
  packetIdentifier @0 :UInt16; # not 0
  shard @1 :UInt16;
}

struct SessionRecord {
  # The state of a session between two connections.
  subscriptions @0 :List(Subscription);
  kept @1 :List(KeptMessage); # what was sent, oldest first, then the rest
  awaitingRelease @2 :List(InboundPlace);
  outbound @3 :List(OutboundState); # by order of their sending
  cursors @4 :List(Cursor);
  nextPacketIdentifier @5 :UInt16 = 1; # not 0
  publishedQos2 @6 :Bool; # ever: topic shards may remember something
}

struct Will {
  message @0 :Message;
  delay @1 :UInt32; # Will Delay Interval, seconds
}
