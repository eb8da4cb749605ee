//! What concerns all sites alike.

use super::*;

#[test]
fn clocks_are_judged_by_the_middle_of_all_and_not_by_ours() {
    let shifted = |shifts: [i64; 4]| {
        after(|facts| {
            for (node, shift) in facts.nodes.iter_mut().zip(shifts) {
                if let NodeTold::All { clock_ahead_us, .. } = &mut node.told {
                    *clock_ahead_us = shift;
                }
            }
        })
    };
    let ours_is_wrong = shifted([9_000_000, 9_000_100, 9_000_200, 9_000_300]);
    assert_eq!(verdict(&ours_is_wrong, "clocks"), Verdict::Green);
    assert_eq!(
        verdict(&shifted([0, 0, 0, 2_000_000]), "clock of busan"),
        Verdict::Red
    );
    assert_eq!(
        verdict(&shifted([0, 0, 0, -400_000]), "clock of busan"),
        Verdict::Amber
    );
}

#[test]
fn databases_that_could_forget_are_red() {
    for (name, expected) in [
        ("fsync", Verdict::Red),
        ("full_page_writes", Verdict::Red),
        ("data_checksums", Verdict::Amber),
    ] {
        let examination = after(|facts| {
            told(facts, 2).settings.insert(name.to_owned(), "off".to_owned());
        });
        assert_eq!(
            verdict(&examination, &format!("{name} of the PostgreSQL in sejong")),
            expected
        );
    }
    let blobs = after(|facts| told(facts, 1).chunks = Some([9, 1, 0]));
    assert_eq!(verdict(&blobs, "blobs in gasan"), Verdict::Red);
    let version = after(|facts| told(facts, 1).version = "15.1".to_owned());
    assert_eq!(verdict(&version, "versions of PostgreSQL"), Verdict::Amber);
    let rules = after(|facts| {
        if let Keeping::Replicated {
            patroni: Some(rules), ..
        } = &mut facts.keeping
        {
            rules.is_strict = false;
        }
    });
    assert_eq!(verdict(&rules, "rules of Patroni"), Verdict::Red);
}

#[test]
fn what_grows_old_is_told_before_it_is_too_late() {
    let backup = |days| after(|facts| facts.backup.as_mut().unwrap().finished_at = days_ago(days));
    assert_eq!(verdict(&backup(2), "backup"), Verdict::Amber);
    assert_eq!(verdict(&backup(4), "backup"), Verdict::Red);
    assert_eq!(
        verdict(&after(|facts| facts.backup = None), "backup"),
        Verdict::Red
    );
    assert_eq!(
        verdict(&after(|facts| facts.drill = None), "drill"),
        Verdict::Amber
    );
    assert_eq!(
        verdict(&after(|facts| facts.drill.as_mut().unwrap().lost = 1), "drill"),
        Verdict::Red
    );
    let certificate = |expires_at: Result<Time, String>| {
        let examination = after(|facts| facts.certificates[0].expires_at = expires_at);
        verdict(&examination, "certificate of https://pangyo.example")
    };
    assert_eq!(certificate(Ok(days_ago(-20))), Verdict::Amber);
    assert_eq!(certificate(Ok(days_ago(-3))), Verdict::Red);
    assert_eq!(certificate(Ok(days_ago(1))), Verdict::Red);
    assert_eq!(certificate(Err("refused".to_owned())), Verdict::Amber);
    let disk = |free_bytes| {
        let disk = Disk {
            free_bytes,
            size_bytes: 100,
        };
        verdict(
            &after(|facts| told(facts, 1).disk = Some(disk)),
            "disk of the PostgreSQL in gasan",
        )
    };
    assert_eq!((disk(4), disk(19)), (Verdict::Red, Verdict::Amber));
    assert_eq!(
        verdict(&after(|facts| told(facts, 1).disk = None), "disks of PostgreSQL"),
        Verdict::Amber
    );
}

#[test]
fn what_is_behind_unencrypted_or_outside_is_named() {
    let version = after(|facts| facts.nodes[0].version = "0.2.0".to_owned());
    assert_eq!(verdict(&version, "versions"), Verdict::Amber);
    let migrations = after(|facts| facts.missing_migrations.push("chat 2 (poll)".to_owned()));
    assert_eq!(verdict(&migrations, "migrations"), Verdict::Red);
    let jobs = after(|facts| facts.late_jobs.push("chat.clean: no room".to_owned()));
    assert_eq!(verdict(&jobs, "background jobs"), Verdict::Amber);
    let open = after(|facts| facts.unencrypted.push("http://gasan.example".to_owned()));
    assert_eq!(verdict(&open, "encryption on the way"), Verdict::Amber);
    let place = |place: Place| {
        let examination = after(|facts| {
            let what = "one-time codes".to_owned();
            facts.dependencies.push(Dependency { what, place });
        });
        verdict(&examination, "outside: one-time codes")
    };
    assert_eq!(place(Place::Inside("none".to_owned())), Verdict::Green);
    assert_eq!(
        place(Place::Address("https://sms.example".to_owned())),
        Verdict::Amber
    );
    assert_eq!(place(Place::Development("shown".to_owned())), Verdict::Amber);
}
