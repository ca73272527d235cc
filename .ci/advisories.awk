# Which packages of a lock file an advisory is about. Called as
#   awk -v today=YYYY-MM-DD -v name=NAME -f advisories.awk deny.toml advisories.tsv Cargo.lock
# The list is of lines "package, id, date, kind, patched, unaffected" with tabs between them; a version is affected
# unless it is in one of the ranges of the last two. Only what comes from crates.io is looked up.
# Exit status: 0 nothing, 1 an advisory that deny.toml does not allow, 2 something cannot be read.

function fail(why) { print name ": " why > "/dev/stderr"; failed = 2; exit 2 }

function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# Days since 0000-03-01 of the calendar.
function days(date,    part, y, m) {
    split(date, part, "-"); y = part[1] + 0; m = part[2] + 0
    if (m < 3) { y--; m += 12 }
    return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + part[3]
}

# Numbers of any length.
function number_order(a, b) {
    sub(/^0+/, "", a); sub(/^0+/, "", b)
    if (length(a) != length(b)) return length(a) < length(b) ? -1 : 1
    return (a "" == b "") ? 0 : ("x" a < "x" b) ? -1 : 1
}

# As semver.org orders the parts after the hyphen; none at all is the greatest.
function pre_order(a, b,    as, bs, n, m, i, an, bn, order) {
    if (a == b) return 0
    if (a == "") return 1
    if (b == "") return -1
    n = split(a, as, "."); m = split(b, bs, ".")
    for (i = 1; i <= n && i <= m; i++) {
        an = as[i] ~ /^[0-9]+$/; bn = bs[i] ~ /^[0-9]+$/
        if (an && bn) order = number_order(as[i], bs[i])
        else if (an != bn) order = an ? -1 : 1
        else order = ("x" as[i] == "x" bs[i]) ? 0 : ("x" as[i] < "x" bs[i]) ? -1 : 1
        if (order) return order
    }
    return n < m ? -1 : n > m ? 1 : 0
}

# A version into `v`: 1 to 3 the numbers, "n" how many were given, "pre" what follows the hyphen.
function read_version(text, v,    at, part, i) {
    sub(/\+.*/, "", text)
    v["pre"] = ""
    at = index(text, "-")
    if (at) { v["pre"] = substr(text, at + 1); text = substr(text, 1, at - 1) }
    v["n"] = split(text, part, ".")
    if (v["n"] < 1 || v["n"] > 3 || (at && v["pre"] !~ /^[0-9A-Za-z.-]+$/)) return 0
    for (i = 1; i <= 3; i++) {
        if (i <= v["n"] && part[i] !~ /^[0-9]+$/) return 0
        v[i] = i <= v["n"] ? part[i] : "0"
    }
    return 1
}

function order(a, b,    i, o) {
    for (i = 1; i <= 3; i++) if (o = number_order(a[i], b[i])) return o
    return pre_order(a["pre"], b["pre"])
}

# The first version of the next number at this place, before-versions included: nothing of it is in the range.
function next_at(v, place, next_,    i) {
    for (i = 1; i <= 3; i++) next_[i] = i < place ? v[i] : i == place ? v[i] + 1 : 0
    next_["pre"] = "0"
}

# Whether the version `have` is in a range such as ">= 1.2.3" or "^0.4". A before-version of X is never "< X" and
# never "^" what comes before X: whoever has one hears of it.
function in_one(have, range,    op, v, u, place) {
    match(range, /^(>=|<=|>|<|=|\^|~)?/)
    op = substr(range, 1, RLENGTH)
    if (!read_version(trim(substr(range, RLENGTH + 1)), v)) fail("a range in the list cannot be read: " range)
    place = v["n"]
    if (op == ">=") return order(have, v) >= 0
    if (op == "<") { if (v["pre"] == "") v["pre"] = "0"; return order(have, v) < 0 }
    if (op == ">") { if (place == 3) return order(have, v) > 0; next_at(v, place, u); u["pre"] = ""; return order(have, u) >= 0 }
    if (op == "<=") { if (place == 3) return order(have, v) <= 0; next_at(v, place, u); return order(have, u) < 0 }
    if (op == "=" && place == 3) return order(have, v) == 0
    if (op == "~") place = place == 1 ? 1 : 2
    else if (op != "=") {
        # The first number that is not 0, among those given.
        for (place = 1; place < v["n"] && v[place] + 0 == 0; place++) ;
    }
    next_at(v, place, u)
    return order(have, v) >= 0 && order(have, u) < 0
}

function is_in(have, ranges,    any, n, all, m, i, j, yes) {
    n = split(ranges, any, /\|\|/)
    for (i = 1; i <= n; i++) {
        m = split(any[i], all, ",")
        yes = 0
        for (j = 1; j <= m; j++) {
            all[j] = trim(all[j])
            if (all[j] == "") continue
            if (!in_one(have, all[j])) { yes = 0; break }
            yes = 1
        }
        if (yes) return 1
    }
    return 0
}

function look_up(package, version,    have, i, field, id) {
    looked++
    if (!(package in count)) return
    if (!read_version(version, have)) fail("the version of " package " cannot be read: " version)
    for (i = 1; i <= count[package]; i++) {
        split(entry[package, i], field, "\t")
        if (is_in(have, field[5]) || is_in(have, field[6])) continue
        id = field[2]
        if (id in reason) print name ": " package " " version ": " id " (" field[4] ") is allowed: " reason[id]
        else {
            print name ": " package " " version ": " id " (" field[4] "); not affected: " field[5] " " field[6]
            failed = 1
        }
    }
}

FNR == 1 { file++ }

# deny.toml: what is allowed, and why.
file == 1 {
    if ($0 ~ /^\[/) section = $0
    if (section !~ /^\[advisories\]/) next
    line = $0
    sub(/^[ \t]*#.*/, "", line)
    if (match(line, /RUSTSEC-[0-9]+-[0-9]+/)) {
        id = substr(line, RSTART, RLENGTH)
        if (!match(line, /reason *= *"[^"]+"/)) fail("deny.toml allows " id " without a reason")
        text = substr(line, RSTART, RLENGTH)
        sub(/^reason *= *"/, "", text); sub(/"$/, "", text)
        reason[id] = text
    }
    next
}

file == 2 && /^#/ {
    if (!date && match($0, /[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/)) date = substr($0, RSTART, RLENGTH)
    next
}
file == 2 {
    if (split($0, field, "\t") != 6) fail("line " FNR " of the list has not six fields")
    entry[field[1], ++count[field[1]]] = $0
    known++
    next
}

file == 3 && FNR == 1 {
    if (!date) fail("the list does not say of which day it is")
    age = days(today) - days(date)
    print name ": against a list of " known " advisories of " date
    if (age > 180) print "WARNING: the list of advisories is " age " days old; what was found since is not in it" > "/dev/stderr"
}
/^\[\[package\]\]/ { package = version = "" }
/^name = / { package = $3; gsub(/"/, "", package) }
/^version = "/ { version = $3; gsub(/"/, "", version) }
/^source = "(registry\+https:\/\/github.com\/rust-lang\/crates.io-index|sparse\+https:\/\/index.crates.io\/)"/ { look_up(package, version) }

END {
    if (failed == 2) exit 2
    if (file != 3 || !known || !looked) fail("nothing to compare: " known + 0 " advisories, " looked + 0 " packages of crates.io")
    exit failed
}
