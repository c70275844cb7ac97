#pragma once
// What several versions of MQTT ask of a server in the same words: each
// function is the body of one test case per version.

#include "tests/support/client.hpp"
#include "tests/support/codes.hpp"

#include <boost/test/unit_test.hpp>

namespace troupe::test {

/// Options of a session that outlives its connection: Clean Start or Clean
/// Session 0, and in MQTT 5.0 a Session Expiry Interval.
connect_options lasting(version v, std::string client_id,
                        std::uint32_t expiry_seconds = 60);

/// A lasting session, connected.
client lasting_client(version v, const std::string& client_id);

/// Subscribes to `topics` with that QoS.
client subscriber(version v, const std::string& filter, unsigned options = 0);

/// Sends `request` on a connection of its own and expects the server to close
/// it with one of these codes.
void expect_violation(version v, std::string_view request,
                      std::initializer_list<unsigned> codes);

/// Sends `request`, a bad CONNECT, and expects a refusal.
void expect_bad_connect(version v, std::string_view request,
                        std::initializer_list<unsigned> codes = {
                          code::malformed, code::protocol_error});

/// Sends `request`, a CONNECT of a protocol or version that the server does not
/// speak, and expects the end, after a CONNACK that says so or without.
void expect_other_protocol(version v, std::string_view request);

/// Subscribes to this one topic and expects this retained payload, or none.
void expect_retained(version v, const std::string& topic,
                     const std::optional<bytes>& payload);

/// Ill-formed UTF-8: overlong, cut short, surrogates, above U+10FFFF.
const std::vector<bytes>& ill_formed_strings();

namespace scenario {

// ---- strings, headers, identifiers ------------------------------------------
void closes_on_ill_formed_strings(version v);
void closes_on_a_null_character(version v);
void keeps_a_byte_order_mark(version v);
void emits_the_listed_flags(version v);
void closes_on_wrong_fixed_header_flags(version v);
void sends_no_identifier_with_qos_0(version v);
void closes_on_identifier_0(version v);
void gives_each_delivery_in_flight_its_own_identifier(version v);
void acknowledges_with_the_identifier_of_the_publish(version v);
void answers_with_the_identifier_of_the_request(version v);

// ---- CONNECT ----------------------------------------------------------------
void closes_unless_connect_comes_first(version v);
void closes_on_a_second_connect(version v);
void refuses_another_protocol_name(version v);
void refuses_the_reserved_connect_flag(version v);
void forgets_the_session_on_a_clean_start(version v);
void continues_a_stored_session(version v);
void makes_a_session_where_there_is_none(version v);
void publishes_the_will_as_it_was_given(version v);
void publishes_the_will_unless_disconnect_removed_it(version v);
void refuses_a_connect_without_its_will_fields(version v);
void publishes_a_will_once(version v);
void refuses_will_qos_without_will(version v);
void refuses_will_qos_3(version v);
void refuses_will_retain_without_will(version v);
void does_not_retain_a_will_without_will_retain(version v);
void retains_a_will_with_will_retain(version v);
void refuses_a_user_name_without_its_flag(version v);
void refuses_a_user_name_flag_without_the_field(version v);
void refuses_a_password_without_its_flag(version v);
void refuses_a_password_flag_without_the_field(version v);
void closes_after_one_and_a_half_keep_alive(version v);
void reads_the_payload_of_connect_in_its_order(version v);
void keeps_sessions_by_client_identifier(version v);
void refuses_a_connect_without_client_identifier_field(version v);
void refuses_an_ill_formed_client_identifier(version v);
void accepts_plain_client_identifiers_of_1_to_23_bytes(version v);
void refuses_an_ill_formed_will_topic(version v);
void refuses_an_ill_formed_user_name(version v);
void closes_on_a_malformed_connect(version v);
void ignores_what_follows_a_refused_connect(version v);
void sends_connack_before_anything_else(version v);

// ---- PUBLISH ----------------------------------------------------------------
void sets_dup_when_it_delivers_again(version v);
void sends_qos_0_without_dup(version v);
void does_not_pass_on_the_dup_of_the_publisher(version v);
void closes_on_qos_3(version v);
void replaces_the_retained_message(version v);
void clears_the_retained_message_with_an_empty_one(version v);
void never_retains_an_empty_message(version v);
void leaves_the_retained_message_alone_without_retain(version v);
void begins_the_publish_with_a_well_formed_topic(version v);
void closes_on_wildcards_in_a_topic_name(version v);
void delivers_only_what_a_filter_matches(version v);
void answers_a_publish_by_its_qos(version v);
void delivers_an_overlap_at_the_highest_qos(version v);
void closes_on_wrong_pubrel_flags(version v);

// ---- SUBSCRIBE, UNSUBSCRIBE -------------------------------------------------
void closes_on_wrong_subscribe_flags(version v);
void closes_on_an_ill_formed_filter_in_subscribe(version v);
void closes_on_a_subscribe_without_filter(version v);
void answers_subscribe_with_suback(version v);
void answers_subscribe_with_its_identifier(version v);
void replaces_a_subscription(version v);
void sends_retained_again_on_replacement_and_loses_nothing(version v);
void treats_many_filters_like_several_requests(version v);
void sends_a_code_for_each_filter(version v);
void grants_a_qos_or_fails(version v);
void delivers_with_the_lower_qos(version v);
void sends_suback_codes_in_the_order_of_the_filters(version v);
void closes_on_wrong_unsubscribe_flags(version v);
void closes_on_an_ill_formed_filter_in_unsubscribe(version v);
void closes_on_an_unsubscribe_without_filter(version v);
void compares_filters_of_unsubscribe_literally(version v);
void delivers_nothing_new_after_unsubscribe(version v);
void completes_deliveries_after_unsubscribe(version v);
void answers_unsubscribe_with_its_identifier(version v);
void answers_unsubscribe_of_nothing(version v);
void unsubscribes_many_filters_with_one_answer(version v);
void answers_pingreq(version v);
void closes_on_wrong_disconnect_flags(version v);
void drops_the_will_on_disconnect(version v);

// ---- sessions, flows, order, topics
// ------------------------------------------
void keeps_session_state_while_connected(version v);
void understands_packets_however_the_transport_splits_them(version v);
void sends_qos_1_first_with_a_fresh_identifier_and_no_dup(version v);
void keeps_a_qos_1_message_until_puback(version v);
void takes_an_identifier_as_a_new_message_after_puback(version v);
void sends_qos_2_first_with_a_fresh_identifier_and_no_dup(version v);
void keeps_a_qos_2_message_until_pubrec(version v);
void answers_pubrec_with_pubrel(version v);
void keeps_a_pubrel_until_pubcomp(version v);
void never_publishes_again_after_pubrel(version v);
void delivers_a_repeated_qos_2_message_once(version v);
void answers_pubrel_with_pubcomp(version v);
void takes_an_identifier_as_a_new_message_after_pubcomp(version v);
void sends_what_is_unacknowledged_again_on_resume_only(version v);
void adds_a_message_to_every_matching_session(version v);
void keeps_the_order_of_publishing(version v);
void keeps_every_topic_in_order_by_default(version v);
void refuses_filters_with_a_misplaced_hash(version v);
void refuses_filters_with_a_misplaced_plus(version v);
void hides_dollar_topics_from_wildcards(version v);
void refuses_empty_topics_and_filters(version v);
void refuses_null_in_topics_and_filters(version v);
void takes_topics_of_65535_bytes(version v);
void matches_code_points_exactly(version v);

} // namespace scenario
} // namespace troupe::test
