//! The doctor on a real store of each engine: honest about one place.
#![allow(clippy::unwrap_used)]

use haechi_continuity::model::examination::{Examination, Finding, Verdict};
use haechi_testkit::{TestStore, run_test};

use super::{look, table};
use crate::settings::Settings;

fn finding<'f>(findings: &'f [Finding], thing: &str) -> &'f Finding {
    findings.iter().find(|finding| finding.thing == thing).unwrap()
}

async fn embedded(folder: &tempfile::TempDir) -> (Settings, Examination) {
    let settings = Settings::on_store(&format!("sqlite:{}", folder.path().join("store").display()));
    let services = crate::program::open(&settings, settings.listen()).await.unwrap();
    services
        .context
        .store
        .migrate(&services.migrations())
        .await
        .unwrap();
    let examination = look(&settings, true).await.unwrap();
    (settings, examination)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_file_is_in_one_place_and_the_doctor_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, examination) = embedded(&folder).await;
    assert_eq!(examination.verdict, Verdict::Red);
    let [here] = examination.sites.as_slice() else {
        unreachable!("one machine is one site: {examination:#?}")
    };
    for thing in ["messages", "money", "photos and files", "master key"] {
        assert!(
            here.lost.iter().any(|lost| lost == thing),
            "{thing}: {:?}",
            here.lost
        );
    }
    assert_eq!(finding(&examination.everywhere, "backup").verdict, Verdict::Red);
    let text = table::text(&examination);
    assert!(
        text.contains("haechi migrate --from") && text.contains("haechi backup"),
        "{text}"
    );
    // It looked and changed nothing; a store that is not there is not made.
    let gone = Settings::on_store(&format!("{}.other", settings.store()));
    assert!(
        look(&gone, false)
            .await
            .unwrap_err()
            .to_string()
            .contains("there is no store")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lacks_tables_is_told_by_its_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::on_store(&format!("sqlite:{}", folder.path().join("store").display()));
    let services = crate::program::open(&settings, settings.listen()).await.unwrap();
    services.context.store.migrate(&[]).await.unwrap();
    let examination = look(&settings, false).await.unwrap();
    let migrations = finding(&examination.everywhere, "migrations");
    assert_eq!(migrations.verdict, Verdict::Red);
    assert!(migrations.says.contains("chat 1"), "{}", migrations.says);
}

#[test]
fn one_postgresql_is_one_place_too() {
    run_test(async {
        let test = TestStore::postgres().await;
        let settings = Settings::on_store_with_key(&test.url);
        let services = crate::program::open(&settings.0, settings.0.listen())
            .await
            .unwrap();
        services
            .context
            .store
            .migrate(&services.migrations())
            .await
            .unwrap();
        let examination = look(&settings.0, true).await.unwrap();
        let [site] = examination.sites.as_slice() else {
            unreachable!("one database is one site: {examination:#?}")
        };
        let messages = finding(&site.findings, "messages");
        assert_eq!(
            (messages.verdict, messages.sites.as_slice()),
            (Verdict::Red, [site.site.clone()].as_slice())
        );
        assert!(
            site.lost
                .iter()
                .any(|lost| lost == "the latest acknowledged writes"),
            "{:?}",
            site.lost
        );
        assert!(!site.writes_go_on);
        assert_eq!(
            finding(&examination.everywhere, "primary").verdict,
            Verdict::Green
        );
    });
}
