//! The examination as people read it.

use haechi_continuity::model::examination::{Examination, Finding, Verdict};

/// Characters that the name of a thing is given.
const THING_WIDTH: usize = 34;

/// What is alike for every site is told once.
pub(super) fn text(examination: &Examination) -> String {
    let mut lines = Vec::new();
    for site in &examination.sites {
        lines.push(format!("{:<5}  {}", word(site.verdict), site.summary));
    }
    let alike: Vec<&Finding> = match examination.sites.as_slice() {
        [first, others @ ..] if !others.is_empty() => first
            .findings
            .iter()
            .filter(|finding| others.iter().all(|other| other.findings.contains(finding)))
            .collect(),
        _ => Vec::new(),
    };
    section(&mut lines, "Whichever site burned:", alike.iter().copied());
    for site in &examination.sites {
        let own = site.findings.iter().filter(|finding| !alike.contains(finding));
        section(&mut lines, &format!("If {} burned:", site.site), own);
    }
    section(&mut lines, "Everywhere:", examination.everywhere.iter());
    lines.push(String::new());
    lines.join("\n")
}

fn section<'f>(lines: &mut Vec<String>, head: &str, findings: impl Iterator<Item = &'f Finding>) {
    let mut findings = findings.peekable();
    if findings.peek().is_none() {
        return;
    }
    lines.push(String::new());
    lines.push(head.to_owned());
    while let Some(finding) = findings.next() {
        let mut things = vec![thing(finding)];
        // Kinds of data that stand alike are told together.
        while let Some(next) = findings.next_if(|next| stand_alike(finding, next)) {
            things.push(thing(next));
        }
        let sites = if finding.sites.is_empty() {
            String::new()
        } else {
            format!("  [{}]", finding.sites.join(" "))
        };
        let verdict = word(finding.verdict);
        let (last, before) = things
            .split_last()
            .map_or((String::new(), &[][..]), |(last, before)| (last.clone(), before));
        lines.extend(before.iter().map(|thing| format!("  {verdict:<5}  {thing}")));
        lines.push(format!(
            "  {verdict:<5}  {last:<THING_WIDTH$}  {}{sites}",
            finding.says
        ));
        if let Some(advice) = &finding.advice {
            lines.push(format!("         {:<THING_WIDTH$}  -> {advice}", ""));
        }
    }
}

fn thing(finding: &Finding) -> String {
    match finding.rows {
        Some(rows) => format!("{} ({rows})", finding.thing),
        None => finding.thing.clone(),
    }
}

fn stand_alike(one: &Finding, other: &Finding) -> bool {
    one.rows.is_some()
        && other.rows.is_some()
        && (one.verdict, &one.says, &one.sites, &one.advice)
            == (other.verdict, &other.says, &other.sites, &other.advice)
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "green",
        Verdict::Amber => "AMBER",
        Verdict::Red => "RED",
    }
}
