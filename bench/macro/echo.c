/*
 * echo: the ceiling.  One thread, level-triggered epoll, RFC 862 over TCP.
 *
 * The server that ktcp's echo is measured against: what one core can echo when
 * nothing stands between the program and the kernel.  It does all that an echo
 * server must: every byte back in order, a client that shuts down its sending
 * side gets the rest and then FIN, and a client that does not read costs one
 * buffer, because nothing is read from it while something waits to be sent.
 *
 *     echo PORT        listens on 127.0.0.1:PORT until it is killed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, BUFFER_BYTES = 64 * 1024, EVENTS = 256 };

/* What the kernel refused waits in rest; most connections never have any. */
struct connection {
    int fd;
    char *rest;
    size_t restBytes, restSent;
};

static int loop, listener;
static char buffer[BUFFER_BYTES];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct connection *c)
{
    close(c->fd); /* leaves the epoll set by itself: the fd was never duplicated */
    free(c->rest);
    free(c);
}

static void watch(struct connection *c, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(loop, operation, c->fd, &event) < 0)
        die("epoll_ctl");
}

static void acceptAll(void)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);

        if (!c)
            die("calloc");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        die("accept4");
}

static void keep(struct connection *c, const char *data, size_t bytes)
{
    if (!(c->rest = malloc(bytes)))
        die("malloc");
    memcpy(c->rest, data, bytes);
    c->restBytes = bytes;
    c->restSent = 0;
    watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void onReadable(struct connection *c)
{
    ssize_t got = read(c->fd, buffer, sizeof buffer), sent;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) { /* FIN, and nothing waits; or a reset */
        drop(c);
        return;
    }
    sent = send(c->fd, buffer, got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        drop(c);
    else if (sent < got)
        keep(c, buffer + (sent < 0 ? 0 : sent), got - (sent < 0 ? 0 : sent));
}

static void onWritable(struct connection *c)
{
    ssize_t sent = send(c->fd, c->rest + c->restSent, c->restBytes - c->restSent, MSG_NOSIGNAL);

    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            drop(c);
        return;
    }
    c->restSent += sent;
    if (c->restSent == c->restBytes) {
        free(c->rest);
        c->rest = NULL;
        watch(c, EPOLL_CTL_MOD, EPOLLIN); /* a FIN that came meanwhile is read next */
    }
}

static void listenOn(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int on = 1;

    if ((listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
        die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind");
    if (listen(listener, BACKLOG) < 0)
        die("listen");
    if ((loop = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll_create1");
    if (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];

    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    listenOn(atoi(argv[1]));
    for (;;) {
        int ready = epoll_wait(loop, events, EVENTS, -1);

        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;

            if (!c)
                acceptAll();
            else if (c->rest)
                onWritable(c); /* on error or hang-up too: send() says which */
            else
                onReadable(c);
        }
    }
}
