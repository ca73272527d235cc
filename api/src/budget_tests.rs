//! Each limit, one below, at and above it, at exact times.

use super::*;
use crate::line::{HELD, KEPT, MOST_WAITING};
use crate::{ClientApp, LoginKind, LoginLimits};

const MICRO: Duration = Duration::from_micros(1);

/// Logins of some apps before one budget.
struct Door {
    budget: TokenBudget,
    limits: LoginLimits,
    server: &'static str,
    id: &'static str,
}

impl Door {
    fn new(ceiling: Option<u32>) -> Self {
        let limits = LoginLimits::default().app_ceiling(ceiling);
        Self { budget: TokenBudget::new(), limits, server: "https://h.example", id: "1" }
    }

    /// The same budget, for another app.
    fn of(&mut self, server: &'static str, id: &'static str) -> &mut Self {
        (self.server, self.id) = (server, id);
        self
    }

    fn with<T>(&self, login: usize, kind: LoginKind, act: impl FnOnce(&TokenBudget, &LoginCall<'_>) -> T) -> T {
        let server = self.server.parse().unwrap();
        let app = ClientApp { server, client_id: self.id.to_owned(), client_secret: None };
        let key = LoginKey::new(&app, "test", &login.to_string());
        act(&self.budget, &LoginCall::new(&app, key, kind, self.limits))
    }

    fn ask(&self, login: usize, kind: LoginKind, at: Timestamp) -> Result<(), LoginWait> {
        self.with(login, kind, |budget, call| budget.acquire(call, at))
    }

    /// How long a new login has to wait.
    fn wait(&self, login: usize, at: Timestamp) -> Option<Duration> {
        self.ask(login, LoginKind::New, at).err().map(|wait| wait.retry_after)
    }

    fn refresh(&self, login: usize, at: Timestamp) -> Option<Duration> {
        self.ask(login, LoginKind::Refresh, at).err().map(|wait| wait.retry_after)
    }

    fn message(&self, login: usize, at: Timestamp) -> String {
        self.ask(login, LoginKind::New, at).unwrap_err().message.into()
    }

    fn give_back(&self, login: usize, acquired: Timestamp, at: Timestamp) {
        self.with(login, LoginKind::New, |budget, call| budget.give_back(call, acquired, at));
    }

    fn pause(&self, secs: u64, at: Timestamp) {
        self.with(0, LoginKind::New, |budget, call| budget.pause(call, Duration::from_secs(secs), at));
    }

    fn apps(&self) -> usize {
        self.budget.apps().len()
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

// CLAUSE TOK-9
#[test]
fn five_calls_a_minute_for_each_login() {
    let mut door = Door::new(Some(60));
    for second in 0..5 {
        assert_eq!(door.wait(1, at(second)), None, "call {second}");
    }
    assert_eq!(door.wait(1, at(5)), Some(Duration::from_secs(56) + MICRO));
    assert_eq!(door.refresh(1, at(5)), Some(Duration::from_secs(56) + MICRO), "whatever it is for");
    for other in 2..10 {
        assert_eq!(door.wait(other, at(5)), None, "each login its own");
    }
    assert_eq!(door.wait(1, at(61)), Some(MICRO), "a call as old as the window is within it");
    assert_eq!(door.wait(1, at(61).after(MICRO)), None);
    assert_eq!(door.wait(1, at(61).after(MICRO)), Some(Duration::from_secs(1)), "one place had become free");
    let message = door.message(1, at(61));
    assert!(message.starts_with("5 token calls a minute for one login") && message.contains("no setting"), "{message}");
    assert_eq!(door.of("https://h.example", "2").wait(1, at(200)), None);
    assert_eq!(door.apps(), 1, "old apps are forgotten");
}

// CLAUSE TOK-9
#[test]
fn a_login_without_a_ceiling_has_its_own_limit_still() {
    let door = Door::new(None);
    for login in 0..1_000 {
        assert_eq!(door.wait(login, at(0)), None);
    }
    for call in 1..6 {
        assert_eq!(door.wait(7, at(0)).is_some(), call == 5, "call {call}");
    }
    let other = Door { limits: LoginLimits::default().app_ceiling(Some(1)), ..door };
    assert_eq!(other.wait(5_000, at(0)), None, "calls without a ceiling do not count for others");
    assert_eq!(other.wait(5_001, at(0)), Some(Duration::from_secs(61) + MICRO));
}

// CLAUSE TOK-9
#[test]
fn the_ceiling_holds_for_all_logins_of_an_app() {
    for ceiling in [1, 2, 60, 61] {
        let mut door = Door::new(Some(ceiling));
        for login in 0..ceiling as usize {
            assert_eq!(door.wait(login, at(0)), None, "{login} of {ceiling}");
        }
        let first = 1_000;
        assert_eq!(door.wait(first, at(0)), Some(Duration::from_secs(61) + MICRO), "{ceiling}");
        assert!(door.of("https://h.example/base", "1").wait(first + 1, at(1)).is_some(), "one server");
        assert_eq!(door.of("https://other.example", "1").wait(first + 1, at(1)), None);
        assert_eq!(door.of("https://h.example", "2").wait(first + 1, at(1)), None);
        door.of("https://h.example", "1");
        assert_eq!(door.wait(first, at(61)), Some(MICRO));
        assert_eq!(door.wait(first, at(61).after(MICRO)), None);
    }
}

// CLAUSE TOK-9
#[test]
fn sixty_a_minute_unless_set() {
    let mut door = Door::new(None);
    door.limits = LoginLimits::default();
    for login in 0..59 {
        assert_eq!(door.wait(login, at(0)), None);
    }
    assert_eq!(door.wait(59, at(0)), None, "the 60th");
    assert!(door.wait(60, at(0)).is_some(), "the 61st");
}

// CLAUSE TOK-9
#[test]
fn a_wait_names_the_limit_its_setting_and_who_is_before() {
    let door = Door::new(Some(1));
    assert_eq!(door.wait(0, at(0)), None);
    let said = |login, tail: &str| {
        let message = door.message(login, at(0));
        let text = "1 token call a minute for one app, all logins of this process together \
                    (LoginLimits::app_ceiling changes it)";
        assert_eq!(message, format!("{text}{tail}"));
    };
    said(1, "");
    said(2, "; 1 waits before this one");
    said(3, "; 2 wait before this one");
    for login in 4..1_241 {
        door.wait(login, at(0));
    }
    said(1_241, "; 1,240 wait before this one");
    said(2, "; 1 waits before this one");
    for (number, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(thousands(number), shown);
    }
}

// CLAUSE TOK-9
#[test]
fn each_that_waits_has_a_time_of_its_own_and_its_turn_then() {
    let door = Door::new(Some(60));
    for login in 0..60 {
        assert_eq!(door.wait(login, at(0)), None);
    }
    let mut dues: Vec<_> = (60..1_060).map(|login| at(0).after(door.wait(login, at(0)).unwrap())).collect();
    assert!(dues.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(1)), "one after the other");
    assert!(dues[999].since(at(61)) < Duration::from_secs(61 * 17), "{}", dues[999]);
    for (i, due) in dues.drain(..).enumerate() {
        assert!(door.wait(5_000, due).is_some(), "a newcomer does not push in");
        assert_eq!(door.wait(60 + i, due), None, "{i}");
    }
}

// CLAUSE TOK-9
#[test]
fn a_refresh_comes_before_new_logins() {
    let door = Door::new(Some(2));
    assert_eq!((door.wait(0, at(0)), door.wait(1, at(30))), (None, None));
    for login in 10..50 {
        assert!(door.wait(login, at(31)) >= Some(Duration::from_secs(30)));
    }
    assert_eq!(door.refresh(2, at(32)), Some(Duration::from_secs(29) + MICRO), "the first place that becomes free");
    let second = door.refresh(3, at(33)).unwrap();
    assert!(second > Duration::from_secs(57) && second < Duration::from_secs(60), "the next, {second:?}");
    let open = at(61).after(MICRO);
    assert!(door.wait(10, open).is_some(), "its place went to the refresh");
    assert_eq!(door.refresh(2, open), None);
    assert_eq!(door.refresh(3, at(33).after(second)), None);
}

// CLAUSE TOK-9
#[test]
fn a_place_is_held_for_a_while_and_kept_for_longer() {
    let door = || {
        let door = Door::new(Some(1));
        assert_eq!(door.wait(0, at(0)), None);
        assert_eq!(door.wait(1, at(0)), Some(Duration::from_secs(61) + MICRO));
        door
    };
    let due = at(61).after(MICRO);
    let held = door();
    assert!(held.wait(2, due.after(HELD)).is_some(), "it may still come");
    assert_eq!(held.wait(1, due.after(HELD)), None);
    let late = door();
    assert_eq!(late.wait(2, due.after(HELD).after(MICRO)), None, "nobody waits for it any more");
    let now = due.after(HELD).after(MICRO);
    assert!(late.wait(3, now).is_some());
    let left = late.wait(1, now).unwrap();
    assert_eq!(left, Duration::from_secs(61) + MICRO, "it comes before those that came later");
    assert!(late.message(3, now).ends_with("; 1 waits before this one"));
    for (wait, kept) in [(KEPT - MICRO, true), (KEPT, true), (KEPT + MICRO, false)] {
        let door = door();
        let now = due.after(wait);
        assert_eq!(door.wait(7, now.before(MICRO)), None, "somebody else");
        assert_eq!(door.wait(8, now.before(MICRO)), Some(Duration::from_secs(61) + MICRO));
        door.wait(1, now);
        assert_eq!(door.message(8, now).contains("wait"), kept, "{wait:?}");
    }
}

#[test]
fn the_line_is_no_longer_than_it_may_be() {
    let door = Door::new(Some(1));
    assert_eq!(door.wait(0, at(0)), None);
    let spacing = Duration::from_secs(61) + MICRO;
    let due = |place: usize| Some(times(spacing, place + 1));
    for login in 1..MOST_WAITING {
        door.wait(login, at(0));
    }
    assert_eq!(door.wait(MOST_WAITING, at(0)), due(MOST_WAITING - 1), "the last place");
    assert_eq!(door.wait(MOST_WAITING + 1, at(0)), due(MOST_WAITING), "no place");
    assert_eq!(door.wait(MOST_WAITING + 2, at(0)), due(MOST_WAITING + 1), "no place, and another time");
    let waiting = |door: &Door| door.budget.apps().values().map(|app| app.line.len()).sum::<usize>();
    assert_eq!(waiting(&door), MOST_WAITING);
    assert_eq!(door.refresh(20_000, at(0)), due(0), "the last new login gives way to a refresh");
    assert_eq!(waiting(&door), MOST_WAITING);
    // The first in line and the refresh never came. Who is late gives way to a newcomer.
    let late = at(0).after(spacing).after(HELD).after(MICRO);
    door.wait(30_000, late);
    assert!(door.message(30_000, late).ends_with("; 9,998 wait before this one"));
    assert_eq!(waiting(&door), MOST_WAITING);
    assert_eq!(door.wait(3, late.after(times(spacing, MOST_WAITING * 2)).after(KEPT)), None);
    assert_eq!(waiting(&door), 0, "all forgotten");
}

// CLAUSE TOK-2
#[test]
fn a_call_that_never_left_counts_against_nothing() {
    let door = Door::new(Some(3));
    for try_ in 0..20 {
        assert_eq!(door.wait(1, at(try_)), None, "{try_}");
        door.give_back(1, at(try_), at(try_));
    }
    assert_eq!((door.wait(1, at(20)), door.wait(2, at(20)), door.wait(3, at(20))), (None, None, None));
    assert!(door.wait(4, at(20)).is_some());
    door.give_back(2, at(19), at(20));
    assert!(door.wait(5, at(20)).is_some(), "no such call");
    door.give_back(9, at(20), at(20));
    assert!(door.wait(5, at(20)).is_some(), "no such login");
    door.give_back(2, at(20), at(21));
    assert!(door.wait(4, at(21)).is_some(), "login 2 has its turn still");
    assert_eq!(door.wait(2, at(21)), None);
    door.give_back(2, at(21), at(21));
    assert_eq!(door.wait(4, at(21).after(HELD).after(MICRO)), None, "but not for ever");
    // The same login twice: one waits already when the other's call comes to nothing.
    let twice = Door::new(Some(1));
    assert_eq!((twice.wait(1, at(0)), twice.wait(1, at(1)).is_some()), (None, true));
    twice.give_back(1, at(0), at(2));
    assert_eq!(twice.wait(1, at(2)), None);
    assert!(twice.message(2, at(2)).ends_with("changes it)"), "nobody waits before it");
    let free = Door::new(None);
    assert_eq!(free.wait(1, at(0)), None);
    free.give_back(1, at(0), at(0));
    assert_eq!(free.wait(9, at(200)), None);
    assert_eq!(free.apps(), 1);
}

// CLAUSE TOK-3
#[test]
fn a_pause_holds_for_all_logins_of_an_app() {
    let mut door = Door::new(Some(60));
    door.pause(60, at(10));
    door.pause(5, at(11));
    assert_eq!(door.of("https://h.example", "2").wait(1, at(11)), None);
    door.of("https://h.example", "1");
    assert_eq!(door.wait(1, at(69)), Some(Duration::from_secs(1)));
    let second = door.wait(2, at(69)).unwrap();
    assert!(second > Duration::from_secs(2) && second < Duration::from_secs(3), "not at once: {second:?}");
    assert!(door.message(1, at(69)).contains("Retry-After"));
    assert_eq!(door.wait(1, at(70).before(MICRO)), Some(MICRO));
    assert_eq!(door.wait(1, at(70)), None);
    let used = Door::new(Some(60));
    for second in 70..75 {
        assert_eq!(used.wait(1, at(second)), None);
    }
    used.pause(10, at(75));
    assert_eq!(used.wait(1, at(75)), Some(Duration::from_secs(56) + MICRO), "its own limit lasts longer");
    let free = Door::new(None);
    free.pause(60, at(0));
    for login in 0..3 {
        assert_eq!(free.wait(login, at(59)), Some(Duration::from_secs(1)), "a pause needs no ceiling");
    }
    assert_eq!(free.wait(0, at(60)), None);
}

// CLAUSE TOK-9
#[test]
fn a_stand_in_has_no_limit_unless_it_is_to_have_one() {
    for server in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://a.localhost"] {
        let mut door = Door::new(Some(1));
        door.server = server;
        door.pause(9, at(0));
        for _ in 0..9 {
            assert_eq!(door.wait(1, at(0)), None);
        }
        assert_eq!(door.apps(), 0);
        door.limits = door.limits.on_loopback(true);
        assert_eq!(door.wait(1, at(0)), None);
        assert!(door.wait(2, at(0)).is_some());
        door.pause(90, at(1));
        assert_eq!(door.wait(2, at(1)), Some(Duration::from_secs(90)));
    }
}

#[test]
fn threads_may_come_with_times_out_of_order() {
    let door = Door::new(Some(2));
    assert_eq!((door.wait(1, at(2)), door.wait(2, at(1))), (None, None));
    assert_eq!(door.wait(3, at(2)), Some(Duration::from_secs(60) + MICRO), "counted from the older call");
}

#[test]
fn nothing_of_the_app_shows() {
    let door = Door::new(Some(1));
    door.wait(1, at(0));
    assert_eq!(format!("{:?}", door.budget), "TokenBudget { .. }");
}

// CLAUSE TOK-9
#[test]
fn a_login_that_is_refused_again_and_again_keeps_nobody_out() {
    let door = Door::new(Some(60));
    assert_eq!(door.wait(0, at(0)), None);
    door.pause(60, at(0));
    let due: Vec<Timestamp> = (1..=50).map(|login| at(1).after(door.wait(login, at(1)).unwrap())).collect();
    // Its own pause is over at the same moment as that of all others. Its next call would begin another one.
    assert_eq!(door.refresh(0, at(60)), Some(Duration::from_secs(61)));
    assert!(door.ask(0, LoginKind::New, at(60)).unwrap_err().message.contains("other logins go first"));
    for (login, due) in (1..).zip(due) {
        assert!(due < at(121) && door.wait(login, due).is_none(), "{login} at {due:?}");
    }
    assert_eq!(door.refresh(0, at(121)), None);
}

// CLAUSE TOK-9
#[test]
fn a_login_that_was_refused_waits_for_nobody_who_is_not_there() {
    let door = Door::new(Some(60));
    assert_eq!(door.wait(0, at(0)), None);
    door.pause(60, at(0));
    assert_eq!(door.wait(0, at(1)), Some(Duration::from_secs(59)));
    assert_eq!(door.wait(0, at(60)), None);
}

// CLAUSE TOK-9
#[test]
fn logins_that_were_refused_do_not_wait_for_each_other() {
    for ceiling in [1, 2, 60] {
        let door = Door::new(Some(ceiling));
        let pause = |login, at| door.with(login, LoginKind::New, |b, call| b.pause(call, Duration::from_secs(60), at));
        for login in [0, 1] {
            pause(login, at(0));
        }
        assert!([0, 1].iter().all(|login| door.wait(*login, at(1)).is_some()));
        // One of the two goes; with more of them both do.
        assert!(door.wait(0, at(60)).is_some() && door.wait(1, at(60)).is_none(), "{ceiling}");
    }
}

// CLAUSE TOK-9
#[test]
fn a_place_in_line_is_given_up_by_who_was_refused() {
    let door = Door::new(Some(1));
    door.pause(60, at(0));
    assert!([0, 1].iter().all(|login| door.wait(*login, at(1)).is_some()));
    assert_eq!(door.wait(0, at(60)), Some(Duration::from_secs(61)));
    assert_eq!(door.wait(1, at(60)), None);
}
