# Two weeks of five-minute buckets that end before `now` (Unix seconds): a day's rhythm and some noise.
BEGIN {
    srand(7)
    print "ts,total,accept"
    last = int(now / 300) - 1
    for (bucket = last - 14 * 288; bucket <= last; bucket++) {
        hour = (bucket * 300 % 86400) / 3600
        total = int(20 + 15 * cos((hour - 14) / 24 * 6.283185) + 6 * (rand() - 0.5) + 0.5)
        print strftime("%Y-%m-%dT%H:%M", bucket * 300, 1) "," total "," total
    }
}
