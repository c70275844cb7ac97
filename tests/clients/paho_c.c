/* Eclipse Paho for C against the broker.
 *
 * usage: paho_c URI VERSION [CA]   (tcp://…, ws://…, wss://…; 3.1.1 or 5)
 *
 * Uses the synchronous interface: messages are fetched with `take`. */
#include <MQTTClient.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { patience_ms = 20000, many = 50 };

static const char* address;
static int is_v5;
static MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;

static _Noreturn void fail(const char* format, ...) {
  va_list more;
  va_start(more, format);
  fputs("FAILED  ", stdout);
  vprintf(format, more);
  putchar('\n');
  va_end(more);
  fflush(stdout);
  _exit(1);
}

static void check(int code, const char* what) {
  if (code != MQTTCLIENT_SUCCESS)
    fail("%s: code %d", what, code);
}

static int connect_client(MQTTClient client, int clean,
                          MQTTClient_willOptions* will) {
  int present = 0;
  if (is_v5) {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer5;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry;
    expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
    expiry.value.integer4 = clean ? 0 : 300;
    MQTTProperties_add(&properties, &expiry);
    options.cleanstart = clean;
    options.reliable = 0; /* more than one message in flight */
    options.maxInflightMessages = many;
    options.will = will;
    options.ssl = &ssl;
    MQTTResponse answer =
      MQTTClient_connect5(client, &options, &properties, NULL);
    check(answer.reasonCode, "connect");
    present = options.returned.sessionPresent;
    MQTTResponse_free(answer);
    MQTTProperties_free(&properties);
  } else {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.cleansession = clean;
    options.reliable = 0; /* more than one message in flight */
    options.maxInflightMessages = many;
    options.will = will;
    options.ssl = &ssl;
    check(MQTTClient_connect(client, &options), "connect");
    present = options.returned.sessionPresent;
  }
  return present;
}

/* A connected client. `present` may be NULL. */
static MQTTClient open_client(const char* id, int clean, int* present,
                              MQTTClient_willOptions* will) {
  MQTTClient client = NULL;
  MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
  options.MQTTVersion = is_v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  check(MQTTClient_createWithOptions(
          &client, address, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options),
        "create");
  const int got = connect_client(client, clean, will);
  if (present != NULL)
    *present = got;
  return client;
}

static void close_client(MQTTClient client) {
  if (is_v5)
    check(MQTTClient_disconnect5(client, 1000, MQTTREASONCODE_SUCCESS, NULL),
          "disconnect");
  else
    check(MQTTClient_disconnect(client, 1000), "disconnect");
  MQTTClient_destroy(&client);
}

static void subscribe(MQTTClient client, const char* filter, int qos) {
  if (is_v5) {
    MQTTResponse answer =
      MQTTClient_subscribe5(client, filter, qos, NULL, NULL);
    if ((int)answer.reasonCode != qos)
      fail("subscribe %s: code %d", filter, (int)answer.reasonCode);
    MQTTResponse_free(answer);
  } else {
    check(MQTTClient_subscribe(client, filter, qos), "subscribe");
  }
}

/* Does not wait for the acknowledgement. */
static MQTTClient_deliveryToken begin_publish(MQTTClient client,
                                              const char* topic,
                                              const char* text, int qos,
                                              int retained) {
  MQTTClient_deliveryToken token = 0;
  const int size = (int)strlen(text);
  if (is_v5) {
    MQTTResponse answer = MQTTClient_publish5(client, topic, size, text, qos,
                                              retained, NULL, &token);
    check(answer.reasonCode, "publish");
    MQTTResponse_free(answer);
  } else {
    check(MQTTClient_publish(client, topic, size, text, qos, retained, &token),
          "publish");
  }
  return token;
}

/* The library looks for acknowledgements ten times a second. */
static void finish_publish(MQTTClient client, MQTTClient_deliveryToken token,
                           int qos) {
  if (qos > 0)
    check(MQTTClient_waitForCompletion(client, token, patience_ms),
          "acknowledgement");
}

static void publish(MQTTClient client, const char* topic, const char* text,
                    int qos, int retained) {
  finish_publish(client, begin_publish(client, topic, text, qos, retained),
                 qos);
}

static void publish_many(MQTTClient client, const char* topic, int qos,
                         int count) {
  MQTTClient_deliveryToken token = 0;
  char text[16];
  for (int i = 0; i < count; ++i) {
    snprintf(text, sizeof text, "%d", i);
    token = begin_publish(client, topic, text, qos, 0);
  }
  finish_publish(client, token, qos);
}

struct received {
  char topic[64];
  char text[64];
  int qos;
  int retained;
};

static struct received take(MQTTClient client) {
  struct received made;
  char* topic = NULL;
  int size = 0;
  MQTTClient_message* message = NULL;
  memset(&made, 0, sizeof made);
  const int code =
    MQTTClient_receive(client, &topic, &size, &message, patience_ms);
  if ((code != MQTTCLIENT_SUCCESS && code != MQTTCLIENT_TOPICNAME_TRUNCATED)
      || message == NULL)
    fail("no message: code %d", code);
  snprintf(made.topic, sizeof made.topic, "%.*s", size, topic);
  snprintf(made.text, sizeof made.text, "%.*s", message->payloadlen,
           (const char*)message->payload);
  made.qos = message->qos;
  made.retained = message->retained;
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return made;
}

static void expect(MQTTClient client, const char* topic, const char* text,
                   int qos, int retained) {
  const struct received got = take(client);
  if (strcmp(got.topic, topic) != 0 || strcmp(got.text, text) != 0
      || got.qos != qos || got.retained != retained)
    fail("expected %s \"%s\" qos %d retained %d, got %s \"%s\" %d %d", topic,
         text, qos, retained, got.topic, got.text, got.qos, got.retained);
}

static void round_trip(void) {
  MQTTClient client = open_client("trip", 1, NULL, NULL);
  for (int qos = 0; qos <= 2; ++qos) {
    char topic[16];
    char text[16];
    snprintf(topic, sizeof topic, "trip/%d", qos);
    subscribe(client, topic, qos);
    publish_many(client, topic, qos, many);
    for (int i = 0; i < many; ++i) {
      snprintf(text, sizeof text, "%d", i);
      expect(client, topic, text, qos, 0);
    }
  }
  close_client(client);
}

static void retained(void) {
  MQTTClient writer = open_client("writer", 1, NULL, NULL);
  publish(writer, "kept", "state", 1, 1);
  MQTTClient reader = open_client("reader", 1, NULL, NULL);
  subscribe(reader, "kept", 2);
  expect(reader, "kept", "state", 1, 1);
  publish(writer, "kept", "", 1, 1);
  expect(reader, "kept", "", 1, 0);
  MQTTClient late = open_client("late", 1, NULL, NULL);
  subscribe(late, "kept", 2);
  publish(writer, "kept", "live", 1, 0);
  expect(late, "kept", "live", 1, 0);
  close_client(writer);
  close_client(reader);
  close_client(late);
}

/* A process that ends without DISCONNECT, before this one has clients whose
 * sockets it would share. */
static void die_with_will(void) {
  const pid_t child = fork();
  if (child == 0) {
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    will.topicName = "gone/dying";
    will.message = "lost";
    will.qos = 2;
    open_client("dying", 1, NULL, &will);
    sleep(1);
    _exit(0);
  }
  int status = 1;
  MQTTClient watcher = open_client("watcher", 1, NULL, NULL);
  subscribe(watcher, "gone/+", 2);
  if (waitpid(child, &status, 0) != child || status != 0)
    fail("the dying client");
  expect(watcher, "gone/dying", "lost", 2, 0);
  close_client(watcher);
}

static void shared_subscription(void) {
  MQTTClient members[2];
  char seen[20] = {0};
  members[0] = open_client("member0", 1, NULL, NULL);
  members[1] = open_client("member1", 1, NULL, NULL);
  for (int m = 0; m < 2; ++m)
    subscribe(members[m], "$share/group/work", 1);
  MQTTClient boss = open_client("boss", 1, NULL, NULL);
  publish_many(boss, "work", 1, 20);
  for (int i = 0; i < 20; ++i) {
    const struct received got = take(members[i / 10]);
    const int number = atoi(got.text);
    if (number < 0 || number >= 20 || seen[number]++)
      fail("shared: %s again", got.text);
  }
  close_client(members[0]);
  close_client(members[1]);
  close_client(boss);
}

static void session_resumes(void) {
  int present = 1;
  int next[3] = {0};
  MQTTClient first = open_client("sleeper", 0, &present, NULL);
  if (present)
    fail("a session was there before");
  subscribe(first, "away/1", 1);
  subscribe(first, "away/2", 2);
  close_client(first);
  MQTTClient writer = open_client("writer", 1, NULL, NULL);
  publish_many(writer, "away/1", 1, many);
  publish_many(writer, "away/2", 2, many);
  MQTTClient again = open_client("sleeper", 0, &present, NULL);
  /* For MQTT 5.0 the library does not tell; the messages do. */
  if (!present && !is_v5)
    fail("the session is gone");
  for (int i = 0; i < 2 * many; ++i) {
    const struct received got = take(again);
    if (got.qos < 1 || got.qos > 2 || atoi(got.text) != next[got.qos]++)
      fail("%s: \"%s\" out of order", got.topic, got.text);
  }
  close_client(writer);
  close_client(again);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } tests[] = {{"will", die_with_will},
               {"round trip", round_trip},
               {"retained", retained},
               {"shared subscription", shared_subscription},
               {"session resumes", session_resumes}};
  if (argc != 3 && argc != 4) {
    fputs("usage: paho_c URI VERSION [CA]\n", stderr);
    return 2;
  }
  address = argv[1];
  if (argc == 4)
    ssl.trustStore = argv[3];
  ssl.verify = 1; /* the name in the certificate, too */
  is_v5 = strcmp(argv[2], "5") == 0;
  for (size_t i = 0; i < sizeof tests / sizeof *tests; ++i) {
    tests[i].run();
    printf("ok      %s\n", tests[i].name);
    fflush(stdout);
  }
  return 0;
}
