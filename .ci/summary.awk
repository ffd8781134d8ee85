# Trial's closing line once more, as "N passed, N failed, N skipped".
# Exits 1 when something failed and when nothing was tested.

function count(name) {
    if (!match(verdict, "[( ]" name "=[0-9]+")) return 0
    return substr(verdict, RSTART + length(name) + 2, RLENGTH - length(name) - 2) + 0
}

# A test may print such a line too; trial's own comes last.
/^(PASSED|FAILED)( \(.*\))?$/ { verdict = $0 }

END {
    passed = count("successes")
    failed = count("failures") + count("errors") + count("unexpectedSuccesses")
    skipped = count("skips") + count("expectedFailures")
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit !(passed && !failed && verdict ~ /^PASSED/)
}
