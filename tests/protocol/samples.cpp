#include "tests/protocol/samples.hpp"

namespace troupe::test {

namespace {

std::vector<sample> client_samples() {
  constexpr auto from = sender::client;
  return {
    {"connect_3_1", v3_1, from,
     packet(0x10, text("MQIsdp") // Protocol Name
                    + u8(3)      // level
                    + u8(0xC2)   // user name, password, clean session
                    + u16(60)    // Keep Alive
                    + text("c") + text("user") + text("secret"))},
    {"connect_3_1_1", v3_1_1, from,
     packet(0x10, text("MQTT") + u8(4) + u8(0xEE) // all flags, Will QoS 1
                    + u16(0xFFFF)                 // Keep Alive
                    + text("device-1") + text("gone/device-1") + text("bye")
                    + text("user") + text("pw"))},
    {"connect_5_0", v5, from,
     packet(0x10,
            text("MQTT") + u8(5) + u8(0x76)     // password, will: retain, QoS 2
              + u16(30)                         // Keep Alive
              + properties(u8(0x11) + u32(3600) // Session Expiry Interval
                           + u8(0x21) + u16(20) // Receive Maximum
                           + u8(0x27) + u32(4096) // Maximum Packet Size
                           + u8(0x22) + u16(10)   // Topic Alias Maximum
                           + user_property("a", "1") + u8(0x19)
                           + u8(1)            // Request Response Information
                           + u8(0x17) + u8(0) // Request Problem Information
                           + user_property("a", "2") + u8(0x15)
                           + text("SCRAM")           // Auth. Method
                           + u8(0x16) + text("xyz")) // Auth. Data
              + text("")                             // Client Identifier
              + properties(u8(0x01) + u8(1)          // Payload Format
                           + u8(0x18) + u32(5)       // Will Delay Interval
                           + u8(0x03) + text("text/plain") // Content Type
                           + u8(0x02) + u32(60)            // Message Expiry
                           + u8(0x08) + text("re/ply")     // Response Topic
                           + u8(0x09) + text("id"))        // Correlation Data
              + text("will/t\xC3\xB6pic") + text("payload") + text("pw"))},
    {"publish_qos0", v3_1_1, from,
     packet(0x30, text("sensors/room-1/temperature") + raw("21.5"))},
    {"publish_qos1", v3_1_1, from,
     packet(0x3B, text("a/b") + u16(10) + raw("again"))},
    {"publish_qos2_3_1", v3_1, from, packet(0x34, text("a") + u16(65535))},
    {"publish_5_0", v5, from,
     packet(0x32, text("a/b") + u16(1) + properties() + raw("x"))},
    {"publish_5_0_properties", v5, from,
     packet(0x33, text("a/b") + u16(7)
                    + properties(u8(0x03) + text("json")   // Content Type
                                 + u8(0x02) + u32(100)     // Message Expiry
                                 + user_property("k", "v") //
                                 + u8(0x23) + u16(3)       // Topic Alias
                                 + u8(0x01) + u8(1)        // Payload Format
                                 + u8(0x08) + text("r/t")  // Response Topic
                                 + u8(0x09) + text("\1\2") // Correlation Data
                                 + user_property("k", "w"))
                    + raw("{}"))},
    {"publish_5_0_alias", v5, from,
     packet(0x30, text("")                              // known by its alias
                    + properties(u8(0x23) + u16(65535)) // Topic Alias
                    + raw("x"))},
    {"puback", v3_1_1, from, packet(0x40, u16(1))},
    {"puback_5_0_reason", v5, from,
     packet(0x40, u16(1) + u8(0x10))}, // No matching subscribers
    {"pubrec_5_0", v5, from,
     packet(0x50, u16(2) + u8(0x80)                     // Unspecified error
                    + properties(u8(0x1F) + text("why") // Reason String
                                 + user_property("k", "v")))},
    {"pubrel", v5, from, packet(0x62, u16(3))},
    {"pubrel_3_1_dup", v3_1, from, packet(0x6A, u16(3))},
    {"pubcomp_5_0", v5, from, packet(0x70, u16(4) + u8(0x92) + properties())},
    {"subscribe_3_1_1", v3_1_1, from,
     packet(0x82, u16(10) + text("a/+/c") + u8(1) + text("#") + u8(2))},
    {"subscribe_5_0", v5, from,
     packet(0x82, u16(10)
                    + properties(u8(0x0B) + variable(200) // Subscription Id.
                                 + user_property("k", "v"))
                    + text("$share/group/a/#") + u8(0x09) // QoS 1, RAP
                    + text("b") + u8(0x26))}, // QoS 2, No Local, handling 2
    {"unsubscribe_3_1", v3_1, from, packet(0xAA, u16(11) + text("a/b"))},
    {"unsubscribe_5_0", v5, from,
     packet(0xA2, u16(11) + properties(user_property("k", "v")) + text("a/+")
                    + text("#"))},
    {"pingreq", v5, from, packet(0xC0)},
    {"disconnect", v3_1_1, from, packet(0xE0)},
    {"disconnect_5_0_with_will", v5, from, packet(0xE0, u8(0x04))},
    {"disconnect_5_0", v5, from,
     packet(0xE0, u8(0)
                    + properties(u8(0x11) + u32(0)       // Session Expiry
                                 + u8(0x1F) + text("ok") // Reason String
                                 + user_property("k", "v")))},
    {"auth_5_0", v5, from,
     packet(0xF0, u8(0x18)                              // Continue
                    + properties(u8(0x15) + text("M")   // Auth. Method
                                 + u8(0x16) + text("D") // Auth. Data
                                 + u8(0x1F) + text("s") // Reason String
                                 + user_property("k", "v")))},
  };
}

std::vector<sample> server_samples() {
  constexpr auto from = sender::server;
  return {
    {"connack_3_1_1", v3_1_1, from, packet(0x20, u8(1) + u8(0))},
    {"connack_5_0", v5, from,
     packet(0x20,
            u8(0) + u8(0)                      // Session Present, Reason Code
              + properties(u8(0x11) + u32(10)  // Session Expiry
                           + u8(0x21) + u16(5) // Receive Maximum
                           + u8(0x24) + u8(1)  // Maximum QoS
                           + u8(0x25) + u8(0)  // Retain Available
                           + u8(0x27) + u32(1000)        // Maximum Packet Size
                           + u8(0x12) + text("assigned") // Assigned Client Id.
                           + u8(0x22) + u16(7)           // Topic Alias Maximum
                           + u8(0x1F) + text("fine")     // Reason String
                           + user_property("k", "v")     //
                           + u8(0x28) + u8(1)            // Wildcard Subscr.
                           + u8(0x29) + u8(1)            // Subscription Ids
                           + u8(0x2A) + u8(0)            // Shared Subscr.
                           + u8(0x13) + u16(99)          // Server Keep Alive
                           + u8(0x1A) + text("info")     // Response Information
                           + u8(0x1C) + text("other:1883") // Server Reference
                           + u8(0x15) + text("M")          // Auth. Method
                           + u8(0x16) + text("D")))},      // Auth. Data
    {"server_publish_5_0", v5, from,
     packet(0x3D,
            text("a") + u16(9)
              + properties(u8(0x0B) + variable(1) + u8(0x0B)
                           + variable(268'435'455) + u8(0x03) + text("json"))
              + raw("x"))},
    {"suback_3_1_1", v3_1_1, from,
     packet(0x90, u16(10) + u8(0) + u8(1) + u8(2) + u8(0x80))},
    {"suback_5_0", v5, from,
     packet(0x90,
            u16(10) + properties(u8(0x1F) + text("so")) + u8(2) + u8(0x8F))},
    {"unsuback_3_1_1", v3_1_1, from, packet(0xB0, u16(11))},
    {"unsuback_5_0", v5, from,
     packet(0xB0,
            u16(11) + properties(user_property("k", "v")) + u8(0) + u8(0x11))},
    {"pingresp", v3_1_1, from, packet(0xD0)},
    {"server_disconnect_5_0", v5, from,
     packet(0xE0, u8(0x9D) // Server moved
                    + properties(u8(0x1C) + text("other")))},
    {"server_auth_5_0", v5, from, packet(0xF0)},
  };
}

} // namespace

const std::vector<sample>& samples() {
  static const auto all = [] {
    auto both = client_samples();
    for (auto& one : server_samples())
      both.push_back(std::move(one));
    return both;
  }();
  return all;
}

} // namespace troupe::test
