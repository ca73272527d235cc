//! Lines in bounded memory: the oldest go first, by segments that each begin where a replay can.

use std::collections::VecDeque;

/// What stands for lines that were forgotten in the middle of a segment: a replay cannot go past it.
pub(crate) const FORGOTTEN: &str = "forgotten";
/// The ring is cut into this many segments, so that it holds at least three quarters of what it may.
const SEGMENTS: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Ring {
    limit: usize,
    segments: VecDeque<String>,
    bytes: usize,
    /// Lines are missing since the last segment began: nothing after them can be replayed.
    broken: bool,
}

impl Ring {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, segments: VecDeque::from([String::new()]), bytes: 0, broken: false }
    }

    /// Whether it is time for a new segment.
    pub(crate) fn wants_segment(&self) -> bool {
        self.broken || self.segments.back().is_none_or(|last| last.len() >= self.limit / SEGMENTS || last.is_empty())
    }

    /// Begins a segment with this line. `false`: it is larger than what a segment is for.
    pub(crate) fn begin(&mut self, checkpoint: &str) -> bool {
        if checkpoint.len() >= self.limit / SEGMENTS {
            return false;
        }
        if self.segments.back().is_some_and(|last| !last.is_empty()) {
            self.segments.push_back(String::new());
        }
        self.broken = false;
        self.push(checkpoint);
        true
    }

    /// Adds a line, and forgets what there is no room for any more. Of a line larger than what a segment is for stays
    /// the mark only.
    pub(crate) fn push(&mut self, line: &str) {
        let fits = line.len() < self.limit / SEGMENTS;
        if !fits && self.segments.back().is_some_and(|last| last.lines().next_back() == Some(FORGOTTEN)) {
            return;
        }
        self.broken |= !fits;
        let line = if fits { line } else { FORGOTTEN };
        if let Some(last) = self.segments.back_mut() {
            last.push_str(line);
            last.push('\n');
            self.bytes += line.len() + 1;
        }
        while self.bytes > self.limit {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if self.segments.len() > 1 {
            self.bytes -= self.segments.pop_front().map_or(0, |first| first.len());
            return;
        }
        let Some(only) = self.segments.back_mut() else { return };
        // No new beginning was possible for long: the older half goes, up to the next input.
        let half = only.len() / 2;
        // In bytes: the middle may lie within a letter.
        let line = only.as_bytes()[..half].iter().rposition(|byte| *byte == b'\n').map_or(0, |i| i + 1);
        let next = only[line..].match_indices('\n').map(|(i, _)| line + i + 1);
        let cut = next.into_iter().find(|&i| !only[i..].starts_with(' ')).unwrap_or(only.len());
        only.replace_range(..cut, &format!("{FORGOTTEN}\n"));
        self.bytes = only.len();
        self.broken = true;
    }

    /// Bytes held.
    pub(crate) const fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ring: &Ring) -> String {
        ring.segments().collect()
    }

    #[test]
    fn it_holds_its_limit_and_not_a_byte_more() {
        // Two segments, of 60 and of 50 bytes.
        for (limit, whole) in [(111, true), (110, true), (109, false)] {
            let mut ring = Ring::new(limit);
            for (segment, lines) in [(1, 5), (2, 4)] {
                assert!(ring.begin(&format!("segment {segment}")));
                (0..lines).for_each(|_| ring.push("1 timeout"));
            }
            assert_eq!((ring.len(), text(&ring).len()), if whole { (110, 110) } else { (50, 50) }, "{limit}");
            assert_eq!(text(&ring).contains("segment 1"), whole, "{limit}");
            assert!(text(&ring).contains("segment 2"));
        }
    }

    #[test]
    fn without_a_new_beginning_the_older_half_goes() {
        let mut ring = Ring::new(200);
        assert!(!ring.begin(&"x".repeat(50)) && ring.begin("checkpoint 1"));
        for i in 100..200 {
            ring.push(&format!("{i} timeout"));
            ring.push("  wait");
            assert!(ring.len() <= 200 && text(&ring).len() == ring.len());
        }
        let lines = text(&ring);
        assert!(lines.starts_with("forgotten\n1") && lines.ends_with("199 timeout\n  wait\n"), "{lines}");
        assert!(ring.wants_segment());
    }

    #[test]
    fn a_segment_begins_when_there_is_none_and_when_the_last_is_full() {
        let mut ring = Ring::new(200);
        assert!(ring.wants_segment() && ring.begin("checkpoint 1"));
        for _ in 0..3 {
            ring.push("1 timeout");
        }
        assert!(ring.len() == 43 && !ring.wants_segment());
        ring.push("2 back");
        assert!(ring.len() == 50 && ring.wants_segment(), "a quarter of it is full");
    }

    #[test]
    fn a_line_too_large_leaves_a_mark_and_what_came_before_it() {
        let mut ring = Ring::new(400);
        assert!(ring.begin("checkpoint 1"));
        ring.push(&"x".repeat(49));
        assert!(!text(&ring).contains(FORGOTTEN) && !ring.wants_segment());
        for _ in 0..3 {
            ring.push(&"x".repeat(100));
        }
        assert!(ring.wants_segment(), "nothing that follows can be replayed");
        ring.push("1 timeout");
        assert!(ring.wants_segment());
        ring.push(&"x".repeat(100));
        assert!(ring.wants_segment(), "and a second one changes nothing of that");
        assert!(ring.begin("checkpoint 2") && !ring.wants_segment());
        let whole = format!("checkpoint 1\n{}\nforgotten\n1 timeout\nforgotten\ncheckpoint 2\n", "x".repeat(49));
        assert_eq!((ring.len(), text(&ring)), (whole.len(), whole));
    }

    #[test]
    fn what_is_left_begins_with_the_first_input_after_the_middle() {
        let mut ring = Ring::new(48);
        assert!(ring.begin("checkp"));
        for line in ["1 a", "2 b", "3 c", "4 d", "5 e", "  f", "6 g", "7 h", "8 i", "9 j"] {
            ring.push(line);
        }
        assert_eq!(text(&ring).len(), 47);
        ring.push("10 k");
        // Of 52 bytes the middle lies within `5 e`.
        assert_eq!(text(&ring), "forgotten\n6 g\n7 h\n8 i\n9 j\n10 k\n");
    }

    #[test]
    fn the_older_half_may_end_within_a_letter() {
        for pad in 0..3 {
            let mut ring = Ring::new(200);
            assert!(ring.begin("checkpoint 1"));
            for i in 100..130 {
                ring.push(&format!("{i} {}closed 1 \"€€€€€\"", "x".repeat(pad)));
                assert!(ring.len() <= 200 && text(&ring).len() == ring.len());
            }
        }
    }
}
