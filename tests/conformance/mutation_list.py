"""How to break the broker so that it breaks one statement; see mutations.py."""

import collections

# row: "mqtt5 3.1.2-3"; what: for people; edits: (file, search, replacement),
# where search stands once in the file; also: rows that state the same duty,
# or another one that cannot be kept without this.
Mutation = collections.namedtuple(
    "Mutation", "row what edits also", defaults=((),))

CONNECT = "protocol/decode_connect.cpp"
PUBLISH = "protocol/decode_publish.cpp"
CONTROL = "protocol/decode_control.cpp"
ENCODE = "protocol/encode_server.cpp"
CONNECTION = "actors/connection.cpp"
HANDSHAKE = "actors/connection_connect.cpp"
SUBSCRIBE = "actors/session_subscribe.cpp"
DELIVER = "actors/session_deliver.cpp"
SESSION_PUBLISH = "actors/session_publish.cpp"
SHARD = "cluster/shard_state_machine.cpp"

MUTATIONS = [
    Mutation(
        "mqtt5 3.3.4-2", "an overlap is delivered at the lowest QoS",
        [("actors/home.cpp",
          "std::max<unsigned>(merged.options & 3U, x.options & 3U)",
          "std::min<unsigned>(merged.options & 3U, x.options & 3U)")],
        ["mqtt311 3.3.5-1"]),
    Mutation(
        "mqtt311 3.1.4-3",
        "Clean Session of a client that takes over is not heeded",
        [(SHARD, "x.clean_start);\n  row.waiting = std::move(x);",
          "false);\n  row.waiting = std::move(x);\n"
          "  row.waiting->clean_start = false;")],
        ["mqtt5 3.1.4-4"]),
    Mutation(
        "mqtt5 4.12.0-1", "an unknown method is let in where others are known",
        [(HANDSHAKE, "    if (how == methods.end()) {",
          "    if (how == methods.end() && !methods.empty()) {\n"
          "      claim();\n      return true;\n    }\n"
          "    if (how == methods.end()) {")]),
    Mutation(
        "mqtt5 1.5.4-1", "surrogates pass in topic names",
        [(PUBLISH, "if (kind != text_kind::plain) [[unlikely]]",
          "if (kind != text_kind::plain\n"
          "      && !(version == protocol_version::mqtt_5_0\n"
          "           && out.topic.find('\\xED')\n"
          "                != std::string_view::npos))")]),
    Mutation(
        "mqtt31 CONNACK byte 1", "MQTT 3.1 gets Session Present, too",
        [(ENCODE, "version == protocol_version::mqtt_3_1 ? 0 : flags",
          "flags")]),
    Mutation(
        "mqtt31 SUBACK", "MQTT 3.1 gets a code for refused filters",
        [(SUBSCRIBE, "? reason_code::granted_qos_0",
          "? static_cast<reason_code>(0x03)")]),
    Mutation(
        "mqtt5 3.3.2-14", "a Response Topic may hold wildcards",
        [("protocol/properties.cpp",
          "return is_valid_topic_name(one.text) ? reason_code::success\n",
          "return true ? reason_code::success\n")]),
    Mutation(
        "mqtt311 4.3.3-2", "a repeated QoS 2 message is delivered again",
        [(SESSION_PUBLISH, "if (seen == inbound::duplicate) {",
          "if (seen == inbound::duplicate\n"
          "          && version_ != protocol_version::mqtt_3_1_1) {")]),
    Mutation(
        "mqtt311 3.1.2-20", "a password may be there without its flag",
        [(CONNECT, "  if (!body.complete())\n",
          "  if (body.failed()\n"
          "      || (!body.at_end()\n"
          "          && !(out.version == protocol_version::mqtt_3_1_1\n"
          "               && flags.user_name() && !flags.password())))\n")]),
    Mutation(
        "mqtt311 3.1.2-8", "a client closed for a bad PINGREQ loses its will",
        [(CONNECTION, "        return fail(ok.error(), \"malformed PINGREQ\");",
          "{\n        if (version_ == protocol_version::mqtt_3_1_1)\n"
          "          end(true, false, \"malformed PINGREQ\");\n"
          "        return fail(ok.error(), \"malformed PINGREQ\");\n      }")]),
    Mutation(
        "mqtt311 3.1.2-17", "wills are never retained",
        [(HANDSHAKE, "made.retain = in.will->retain;",
          "made.retain = in.will->retain\n"
          "                  && version_ != protocol_version::mqtt_3_1_1;")]),
    Mutation(
        "mqtt5 4.7.1-1", "what begins with # is granted as it is",
        [(SUBSCRIBE, "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level",
          "  if (!parsed && in.filter.starts_with('#')\n"
          "      && version_ == protocol_version::mqtt_5_0)\n"
          "    return static_cast<reason_code>(in.options.maximum_qos);\n"
          "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level")]),
    Mutation(
        "mqtt5 3.2.2-9", "Maximum QoS 1 is not announced",
        [(HANDSHAKE, "if (rules.max_qos_allowed < 2)",
          "if (rules.max_qos_allowed < 1)")]),
    Mutation(
        "mqtt5 3.8.4-2", "SUBACK repeats one byte of the identifier",
        [(ENCODE,
          "to.u16(packet.packet_identifier);\n"
          "                         if (version == "
          "protocol_version::mqtt_5_0)\n",
          "to.u16(version == protocol_version::mqtt_5_0\n"
          "                  ? packet.packet_identifier & 0xFF\n"
          "                  : packet.packet_identifier);\n"
          "                         if (version == "
          "protocol_version::mqtt_5_0)\n")],
        ["mqtt5 2.2.1-6"]),
    Mutation(
        "mqtt31 Strings", "MQTT 3.1 may have ill-formed topic names",
        [(PUBLISH, "if (kind != text_kind::plain) [[unlikely]]",
          "if (kind != text_kind::plain\n"
          "      && !(kind == text_kind::ill_formed\n"
          "        && version == protocol_version::mqtt_3_1)) [[unlikely]]")]),
    Mutation(
        "mqtt31 $ topics and wildcards", "wildcards match topics with $",
        [("actors/subscription_index.cpp",
          "match_levels(*root_, topic, false, topic.starts_with('$'), into)",
          "match_levels(*root_, topic, false, false, into)")],
        ["mqtt5 4.7.2-1", "mqtt311 4.7.2-1"]),
    Mutation(
        "mqtt5 3.3.2-7", "an unknown alias is passed over",
        [(CONNECTION,
          "return fail(reason_code::protocol_error, \"unknown Topic Alias\")",
          "return true")]),
    Mutation(
        "mqtt311 4.5.0-1", "one matching filter of those away is enough",
        [(SHARD,
          "        store(row, sequence, message);\n        somebody = true;\n",
          "        store(row, sequence, message);\n        somebody = true;\n"
          "        break;\n")],
        ["mqtt5 4.5.0-1"]),
    Mutation(
        "mqtt311 3.1.4-2", "the older connection stays open",
        [(HANDSHAKE, "    count(at().numbers().session_takenover);\n",
          "    count(at().numbers().session_takenover);\n"
          "    if (version_ == protocol_version::mqtt_3_1_1)\n"
          "      static_cast<void>(::dup(fd_));\n"),
         (HANDSHAKE, "#include <random>\n",
          "#include <random>\n#include <unistd.h>\n")]),
    Mutation(
        "mqtt5 3.2.2-2", "Session Present is 1 after a Clean Start",
        [(HANDSHAKE, "send_connack(x.session_present);",
          "send_connack(x.session_present\n"
          "               || (clean_start_ && setup.expiry_interval != 0\n"
          "                   && version_ == protocol_version::mqtt_5_0));")],
        ["mqtt5 3.1.2-4", "mqtt5 3.1.4-4", "mqtt5 3.2.2-16"]),
    Mutation(
        "mqtt311 3.14.1-1", "DISCONNECT may have any flags",
        [(CONTROL,
          "                             disconnect_packet& out) noexcept {\n"
          "  if (const auto bad = check_flags(in, version); is_bad(bad))\n",
          "                             disconnect_packet& out) noexcept {\n"
          "  if (const auto bad = check_flags(in, version);\n"
          "      is_bad(bad) && version != protocol_version::mqtt_3_1_1)\n")]),
    Mutation(
        "mqtt5 4.12.0-6", "a method is named to who named none",
        [(HANDSHAKE, "    if (authentication_) {\n      packet.authent",
          "    if (!authentication_\n"
          "        && !at().shared().options.methods.empty())\n"
          "      packet.authentication_method = \"TROUPE-TEST\";\n"
          "    if (authentication_) {\n      packet.authent")]),
    Mutation(
        "mqtt5 3.2.2-20", "User Properties of CONNACK are never left out",
        [(ENCODE,
          "  kept.put_of(to, packet);\n  put(to, id::wildcard",
          "  optional_properties{kept.reason_string, true}\n"
          "    .put_of(to, packet);\n  put(to, id::wildcard")]),
    Mutation(
        "mqtt311 1.5.3-2", "a client identifier may hold U+0000",
        [(CONNECT, "  out.client_id = body.text();\n",
          "  out.client_id = body.unchecked_text();\n"
          "  if (!is_valid_utf8(out.client_id)\n"
          "      && !(out.version == protocol_version::mqtt_3_1_1\n"
          "           && out.client_id.find('\\0')\n"
          "                != std::string_view::npos))\n"
          "    return reason_code::malformed_packet;\n")]),
    Mutation(
        "mqtt5 3.4.2-1", "PUBACK may have any code",
        [(CONTROL, "if (!is_listed_for_ack(out.type, out.reason))",
          "if (out.type != packet_type::puback\n"
          "        && !is_listed_for_ack(out.type, out.reason))")]),
    Mutation(
        "mqtt5 3.8.3-4", "No Local passes on a shared subscription",
        [("protocol/decode_subscribe.cpp",
          "(no_local && filter.starts_with(\"$share/\"))", "no_local"
          " && filter.starts_with(\"$Share/\")"),
         (SUBSCRIBE, "if (no_local_shared)", "if (no_local_shared && false)")]),
    Mutation(
        "mqtt5 4.3.3-12", "an identifier alone is not free after PUBCOMP",
        [(SESSION_PUBLISH, "      const bool known = rules_.on_pubrel(id);\n",
          "      const bool known = rules_.on_pubrel(id);\n"
          "      if (known && version_ == protocol_version::mqtt_5_0\n"
          "          && rules_.awaiting_release().empty())\n"
          "        rules_.on_publish_qos2(id);\n")]),
    Mutation(
        "mqtt31 Protocol name", "the case of the name does not matter",
        [(CONNECT, "name == \"MQIsdp\" ?",
          "name == \"MQIsdp\" || name == \"MQISDP\" ?")]),
    Mutation(
        "mqtt5 3.15.2-3", "User Properties of AUTH are never left out",
        [(ENCODE,
          "packet.data);\n        kept.put_of(properties, packet);",
          "packet.data);\n"
          "        optional_properties{kept.reason_string, true}\n"
          "          .put_of(properties, packet);")]),
    Mutation(
        "mqtt5 3.1.2-11", "Will QoS does not matter without a will",
        [(CONNECT, "(flags.will_qos() != 0 || flags.will_retain())",
          "((flags.will_qos() != 0\n"
          "                         && version != protocol_version::mqtt_5_0)\n"
          "                        || flags.will_retain())")]),
    Mutation(
        "mqtt5 4.3.3-2", "DUP is set when four others are unacknowledged",
        [(DELIVER, "  how.retain = x.retain;\n  std::uint32_t one",
          "  how.retain = x.retain;\n"
          "  how.dup = x.qos == qos::exactly_once\n"
          "            && version_ == protocol::protocol_version::mqtt_5_0\n"
          "            && rules_.unacknowledged() >= 4;\n"
          "  std::uint32_t one")]),
    Mutation(
        "mqtt311 3.1.2-21", "a password may be missing though its flag is set",
        [(CONNECT, "if (flags.password() && !(may_end && body.at_end()))",
          "if (flags.password()\n"
          "      && !(body.at_end()\n"
          "           && (may_end\n"
          "               || out.version == protocol_version::mqtt_3_1_1)))")]),
    Mutation(
        "mqtt311 3.1.2-1", "the name may be longer",
        [(CONNECT, "                     : name == \"MQIsdp\"",
          "                     : name.starts_with(\"MQTT\")\n"
          "                       ? plain_level == 4\n"
          "                     : name == \"MQIsdp\"")]),
    Mutation(
        "mqtt31 DUP in headers", "DUP is refused in UNSUBSCRIBE",
        [("protocol/wire_reader.hpp",
          ": wanted != 0                         ?",
          ": type == packet_type::unsubscribe ? 0x0E\n"
          ": wanted != 0                         ?")]),
    Mutation(
        "mqtt311 4.3.2-2", "a repeated identifier with DUP is no new message",
        [(SESSION_PUBLISH, "  auto topic = in.topic;\n",
          "  thread_local std::pair<std::uint64_t, std::uint16_t> last;\n"
          "  if (in.qos == qos::at_least_once) {\n"
          "    const auto before = std::exchange(\n"
          "      last, std::pair{hash_, in.packet_identifier});\n"
          "    if (in.dup && last == before\n"
          "        && version_ == protocol_version::mqtt_3_1_1) {\n"
          "      acknowledge(in, reason_code::success);\n"
          "      return reason_code::success;\n    }\n  }\n"
          "  auto topic = in.topic;\n")]),
    Mutation(
        "mqtt311 3.1.3-11", "a user name may be ill-formed",
        [(CONNECT, "out.user_name = body.text();",
          "out.user_name = out.version == protocol_version::mqtt_3_1_1\n"
          "                      ? body.unchecked_text()\n"
          "                      : body.text();")]),
    Mutation(
        "mqtt5 3.1.2-13", "Will Retain does not matter without a will",
        [(CONNECT, "(flags.will_qos() != 0 || flags.will_retain())",
          "(flags.will_qos() != 0\n"
          "                        || (flags.will_retain()\n"
          "                            && version\n"
          "                                 != protocol_version::mqtt_5_0))")]),
    Mutation(
        "mqtt5 4.3.3-9", "a refused identifier stays taken",
        [(SESSION_PUBLISH,
          "    rules_.on_pubrel(in.packet_identifier); // [MQTT-4.3.3-9]\n",
          "    static_cast<void>(0);\n")]),
    Mutation(
        "mqtt311 3.1.2-3", "bit 0 of the Connect Flags does not matter",
        [(CONNECT, "if (flags.reserved())",
          "if (flags.reserved() && version == protocol_version::mqtt_5_0)")]),
    Mutation(
        "mqtt5 3.6.2-3", "User Properties of PUBREL are never left out",
        [(ENCODE,
          "      size_counter count;\n      kept.put_of(count, packet);",
          "      if (packet.type == packet_type::pubrel)\n"
          "        kept.user_properties = true;\n"
          "      size_counter count;\n      kept.put_of(count, packet);")]),
    Mutation(
        "mqtt5 3.3.1-4", "QoS 3 is not refused as malformed",
        [(PUBLISH, "                         : qos_3_flags | dup_qos_0_flags;",
          "                         : version == protocol_version::mqtt_5_0\n"
          "                         ? dup_qos_0_flags\n"
          "                         : qos_3_flags | dup_qos_0_flags;")]),
    Mutation(
        "mqtt5 3.1.2-18", "a password may be there without its flag",
        [(CONNECT, "  if (!body.complete())\n",
          "  if (body.failed()\n"
          "      || (!body.at_end()\n"
          "          && !(out.version == protocol_version::mqtt_5_0\n"
          "               && flags.user_name() && !flags.password())))\n")]),
    Mutation(
        "mqtt5 3.3.1-2", "DUP is taken with QoS 0",
        [(PUBLISH, "                         : qos_3_flags | dup_qos_0_flags;",
          "                         : version == protocol_version::mqtt_5_0\n"
          "                         ? qos_3_flags\n"
          "                         : qos_3_flags | dup_qos_0_flags;")]),
    Mutation(
        "mqtt311 3.3.1-1", "what is sent again has no DUP",
        [(DELIVER, "how.dup = true;",
          "how.dup = version_ != protocol::protocol_version::mqtt_3_1_1;")]),
    Mutation(
        "mqtt5 3.3.1-6", "an empty message does not clear the retained one",
        [(SESSION_PUBLISH, "const bool retains = in.retain &&",
          "const bool retains = in.retain\n"
          "                       && !(in.payload.empty()\n"
          "                            && version_\n"
          "                              == protocol_version::mqtt_5_0) &&")]),
    Mutation(
        "mqtt5 4.3.3-4", "PUBREC with a code above 0 is taken as refusal",
        [(SESSION_PUBLISH, "rules_.on_pubrec(id, is_failure(in.reason))",
          "rules_.on_pubrec(id, in.reason != reason_code::success)")],
        ["mqtt5 3.5.2-1"]),
    Mutation(
        "mqtt5 4.3.3-6", "PUBLISH comes again behind the repeated PUBREL",
        [("actors/session.cpp",
          "x.packet_identifier,\n"
          "                      protocol::reason_code::success);",
          "x.packet_identifier,\n"
          "                      protocol::reason_code::success);\n"
          "    using state = protocol::client_session::in_flight::state;\n"
          "    if (x.now == state::released\n"
          "        && version_ == protocol::protocol_version::mqtt_5_0) {\n"
          "      protocol::delivery how;\n      how.qos = x.what.qos;\n"
          "      how.dup = true;\n"
          "      how.packet_identifier = x.packet_identifier;\n"
          "      link_->send(*x.what.message, how);\n    }")],
        ["mqtt5 4.3.3-5", "mqtt5 4.4.0-1"]),
    Mutation(
        "mqtt5 3.8.4-4", "retained messages are for new subscriptions only",
        [(SUBSCRIBE,
          "if (options.handling == retain_handling::send_on_subscribe\n",
          "if ((options.handling == retain_handling::send_on_subscribe"
          " && fresh)\n")],
        ["mqtt5 3.3.1-9", "mqtt311 3.8.4-3"]),
    Mutation(
        "mqtt5 4.13.2-1", "a DISCONNECT with 0x80 is passed over",
        [(CONNECTION, "  end(packet.value().reason == reason",
          "  if (packet.value().reason == reason_code::unspecified_error)\n"
          "    return true;\n"
          "  end(packet.value().reason == reason")],
        ["mqtt5 3.14.2-1", "mqtt5 3.14.4-3"]),
    Mutation(
        "mqtt5 3.1.4-2", "who fails to authenticate is let in",
        [(HANDSHAKE,
          "    refuse(step.reason, \"authentication failed\");\n"
          "    return false;\n",
          "    claim();\n    return true;\n")],
        ["mqtt5 4.12.0-4"]),
    Mutation(
        "mqtt5 3.14.2-4", "User Properties of DISCONNECT are never left out",
        [(ENCODE,
          "                           kept.put_of(properties, packet);\n"
          "                           put(properties, "
          "property_id::server_reference,",
          "                           optional_properties{"
          "kept.reason_string, true}\n"
          "                             .put_of(properties, packet);\n"
          "                           put(properties, "
          "property_id::server_reference,")]),
    Mutation(
        "mqtt5 3.2.2-7", "who has a bad identifier is refused and not closed",
        [(HANDSHAKE,
          "\"connect.refused\", cause, {}, peer()});\n",
          "\"connect.refused\", cause, {}, peer()});\n"
          "  if (why == reason_code::client_identifier_not_valid\n"
          "      && version_ == protocol_version::mqtt_5_0) {\n"
          "    wants_flush();\n    return;\n  }\n")],
        ["mqtt5 3.1.3-8"]),
    Mutation(
        "mqtt311 4.7.1-3", "what begins with + is granted as it is",
        [(SUBSCRIBE, "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level",
          "  if (!parsed && in.filter.starts_with('+')\n"
          "      && version_ == protocol_version::mqtt_3_1_1)\n"
          "    return static_cast<reason_code>(in.options.maximum_qos);\n"
          "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level")]),
    Mutation(
        "mqtt5 3.3.2-12", "the highest alias of all is refused",
        [(CONNECTION, "packet.topic_alias > at().mqtt().max_topic_alias",
          "packet.topic_alias > at().mqtt().max_topic_alias\n"
          "        || packet.topic_alias == 65'535")]),
    Mutation(
        "mqtt311 4.7.1-2", "what begins with # is granted as it is",
        [(SUBSCRIBE, "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level",
          "  if (!parsed && in.filter.starts_with('#')\n"
          "      && version_ == protocol_version::mqtt_3_1_1)\n"
          "    return static_cast<reason_code>(in.options.maximum_qos);\n"
          "  if (!parsed)\n    return parsed.error();\n"
          "  const auto& what = parsed.value();\n  if (protocol::level")]),
]

# Rows that no such change breaks alone, and why.
UNBREAKABLE = {
    "mqtt5 3.12.4-1": "PINGRESP is the barrier of most tests",
    "mqtt5 3.8.4-7": "most tests subscribe and look at the code",
    "mqtt5 3.1.2-5": "many tests resume a session to see something else",
    "mqtt5 4.1.0-1": "it asks the broker for nothing but not to forget",
    "mqtt5 3.14.4-1": "all that expect a DISCONNECT see what follows it",
    "mqtt5 3.1.2-6": "many tests begin with such a session",
    "mqtt311 3.1.2-7": "retained messages do not know their publisher",
    "mqtt311 3.3.1-3": "a message does not carry its publisher's DUP",
    "mqtt5 4.3.1-1": "the decoder of all tests refuses QoS 0 with DUP",
}
