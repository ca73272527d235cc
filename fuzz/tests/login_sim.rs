//! Logins for weeks, and logins with a mistake each: the checks must find them.

use ringcentral_ws_fuzz::{LoginDefect, LoginReport, Plain, WithContract, simulate_logins};

// CLAUSE TOK-2 TOK-3 TOK-4 TOK-9
#[test]
fn no_recovery_is_lost_that_a_refresh_could_have_kept() {
    let mut total = LoginReport::default();
    for seed in 0..4 {
        let run = if seed == 3 {
            simulate_logins(&WithContract, seed, 1, None)
        } else {
            simulate_logins(&Plain, seed, 1, None)
        };
        match run {
            Ok(report) => total += &report,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{total}");
    // The runs are worth something: everything happened.
    assert!(total.milli_weeks >= 4_000 && total.refreshes > 1_000 && total.recovered > 20, "{total}");
    for fault in ["offline", "refresh refused", "answer of a token call lost", "token endpoint: 429", "user logged out"]
    {
        assert!(total.faults.contains_key(fault), "{fault}: {total}");
    }
}

#[test]
fn logins_with_a_mistake_are_found() {
    for defect in LoginDefect::ALL {
        let found = (0..10).find_map(|seed| simulate_logins(&Plain, seed, 1, Some(defect)).err());
        let found = found.unwrap_or_else(|| panic!("{defect:?} was not found"));
        println!("{defect:?}: {}", found.violation);
        let checks: &[&str] = match defect {
            LoginDefect::JwtInsteadOfRefresh | LoginDefect::OutageIsRefusal => &["needless-login"],
            LoginDefect::KeepsOldRefresh => &["refresh-twice", "stale-refresh"],
            LoginDefect::NoBudget => &["pause", "token-budget", "rate-limit"],
            LoginDefect::NoCeiling => &["token-budget", "rate-limit"],
            LoginDefect::ForgetsToStore => &["needless-login", "stale-refresh"],
        };
        assert!(checks.contains(&found.violation.check), "{defect:?}: {found}");
    }
}
