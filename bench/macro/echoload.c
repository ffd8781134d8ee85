/*
 * echoload: load an echo server and look at every byte that comes back.
 *
 * Each of N connections sends a message, waits until all of it has come back,
 * and sends the next: so the offered load is what the server can take, and a
 * latency is that of one message among N in flight.  One thread, level-triggered
 * epoll.  The messages differ from one to the next, so that an answer out of
 * turn cannot pass for the right one.
 *
 *     echoload -p PORT [-c CONNECTIONS] [-s BYTES] [-d SECONDS] [-w SECONDS] [-1]
 *
 * -w is a warm-up that is not counted; -1 makes a new connection for every
 * message, closed by the client.  Prints one JSON line.  Exit status 1: the
 * server could not be reached.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, PATTERN_STEPS = 251, LONGEST_US = 1000000, SOURCES = 16 };

struct connection {
    int fd;
    unsigned step;         /* where in the pattern the message begins */
    size_t sent, received; /* of the message under way */
    bool armed;            /* waiting to be writable */
    uint64_t began;        /* ns: when the message (or its connection) began */
};

static struct {
    int port, connections;
    size_t bytes;
    double seconds, warmup;
    bool reconnect;
} options = {.connections = 50, .bytes = 64, .seconds = 2, .warmup = 0.2};

static int loop;
static char *pattern, *buffer;
static bool counting;
static uint64_t echoes, errors;
static uint32_t latencies[LONGEST_US + 1]; /* how many took so many us; the last: longer */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void watch(struct connection *c, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(loop, operation, c->fd, &event) < 0)
        die("epoll_ctl");
    c->armed = events & EPOLLOUT;
}

/*
 * Connections closed by the client wait in TIME_WAIT for a minute, and one
 * source address has 28,000 ports: so the sources take turns in 127.0.0.0/28.
 * IP_BIND_ADDRESS_NO_PORT (Linux 4.2): the port is chosen by connect(), which
 * knows the whole 4-tuple.
 */
static void openConnection(struct connection *c)
{
    static unsigned turn;
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    if (!options.reconnect) { /* the one send of a connection waits for nothing anyway */
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    } else {
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % SOURCES);
        if (bind(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
            die("bind");
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options.port);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        die("connect");
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static const char *message(const struct connection *c)
{
    return pattern + c->step;
}

static void fail(struct connection *c)
{
    errors++;
    close(c->fd);
    c->fd = -1;
}

/* Send what the kernel takes now; the rest when it is writable again. */
static void sendMore(struct connection *c)
{
    ssize_t sent = send(c->fd, message(c) + c->sent, options.bytes - c->sent, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        fail(c);
        return;
    }
    c->sent += sent < 0 ? 0 : sent;
    if ((c->sent < options.bytes) != c->armed)
        watch(c, EPOLL_CTL_MOD, c->armed ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void beginMessage(struct connection *c)
{
    c->step = (c->step + 1) % PATTERN_STEPS;
    c->sent = c->received = 0;
    c->began = now();
    if (c->fd < 0)
        openConnection(c);
    sendMore(c);
}

static void endMessage(struct connection *c)
{
    uint64_t us = (now() - c->began) / 1000;

    if (counting) {
        echoes++;
        latencies[us < LONGEST_US ? us : LONGEST_US]++;
    }
    if (options.reconnect) {
        close(c->fd);
        c->fd = -1;
    }
    beginMessage(c);
}

static void receiveMore(struct connection *c)
{
    /* One byte more than is due: bytes nobody sent must be noticed. */
    ssize_t got = recv(c->fd, buffer, options.bytes - c->received + 1, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || c->received + got > c->sent ||
        memcmp(buffer, message(c) + c->received, got) != 0) {
        fail(c);
        return;
    }
    c->received += got;
    if (c->received == options.bytes)
        endMessage(c);
}

/* Run for so long, or until no connection is left.  Gives back the seconds it took. */
static double run(double seconds)
{
    struct epoll_event events[EVENTS];
    uint64_t start = now(), end = start + (uint64_t)(seconds * 1e9), time = start;

    for (; time < end && errors < (uint64_t)options.connections; time = now()) {
        int ready = epoll_wait(loop, events, EVENTS, 100);

        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                sendMore(c);
            if (c->fd >= 0 && events[i].events & ~EPOLLOUT)
                receiveMore(c);
        }
    }
    return (time - start) / 1e9;
}

static int percentile(double share)
{
    uint64_t due = (uint64_t)(share * echoes), seen = 0;

    for (int us = 0; us <= LONGEST_US; us++)
        if ((seen += latencies[us]) > due)
            return us;
    return LONGEST_US;
}

static void readOptions(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "p:c:s:d:w:1")) != -1)
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 's': options.bytes = strtoul(optarg, NULL, 10); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case '1': options.reconnect = true; break;
        default: exit(2);
        }
    if (options.port <= 0 || options.connections <= 0 || options.bytes == 0) {
        fprintf(stderr, "usage: echoload -p PORT [-c CONNECTIONS] [-s BYTES]"
                        " [-d SECONDS] [-w SECONDS] [-1]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct connection *all;
    uint64_t start;
    double took;

    readOptions(argc, argv);
    pattern = malloc(options.bytes + PATTERN_STEPS);
    buffer = malloc(options.bytes + 1);
    all = calloc(options.connections, sizeof *all);
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (!pattern || !buffer || !all || loop < 0)
        die("echoload");
    for (size_t i = 0; i < options.bytes + PATTERN_STEPS; i++)
        pattern[i] = (char)(i % PATTERN_STEPS * 7 + i / PATTERN_STEPS);
    for (int i = 0; i < options.connections; i++) {
        all[i].fd = -1;
        all[i].step = i % PATTERN_STEPS;
        beginMessage(&all[i]);
    }
    run(options.warmup);
    counting = true;
    start = now();
    took = run(options.seconds);
    for (int i = 0; i < options.connections; i++) /* silence all the while is an error too */
        errors += all[i].fd >= 0 && all[i].began < start;
    printf("{\"rate\": %.1f, \"count\": %lu, \"errors\": %lu, \"p50Us\": %d, \"p99Us\": %d}\n",
           echoes / took, echoes, errors, percentile(0.50), percentile(0.99));
    return 0;
}
