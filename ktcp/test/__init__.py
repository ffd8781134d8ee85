"""
The tests of ktcp: a module for each module, and some for whole processes.

What they are slow at is known.  C{python -m ktcp.test.slowest} lists the ten that
took longest; they, and those behind them, are of these kinds:

  - Chromium looks at a page (C{test_trace_page}, C{test_http_pages}, C{test_load_page},
    C{test_admin_routes}).  A start takes a second; a page's script is proved by nothing less.
  - C{twistd ktcp --workers} is three processes at 0.3 s each, and more where it replaces
    some or is started in several ways (C{test_workers_process}: C{test_workerRefuses},
    C{test_socketActivation}, C{test_reload}; C{test_tls_process}; C{test_dmesg}).
  - C{twistd} and C{twist} refuse, stop and log as a user sees it, each start 0.3 s
    (C{test_process}: C{test_badOptions}, C{test_signals}).
  - The commands of C{bench} are tried with small numbers; they wait for what they measure.
  - C{test_clients}: wget mirrors 2,000 files, and curl asks for each coding.  Who only asks
    shares a server.
  - The corpus of requests goes through a connection in each way of cutting it up.

Examples that hypothesis makes are the same in each run, and few; C{KTCP_EXAMPLES=10000}
makes more of all of them.
"""
