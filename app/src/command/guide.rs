//! The commands in the documents and in deploy/ are commands of this program, with settings that it takes.
#![allow(clippy::unwrap_used)]

use clap::Parser as _;

use super::{Cli, Command};

fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a command as a shell would split them; quotes hold words together.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The commands in lines of their own.
fn apart(document: &str) -> impl Iterator<Item = &str> {
    document
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("haechi "))
}

/// The commands in `quotes`.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("haechi "))
}

/// Why the program would not begin with a command, as far as the command alone tells.
fn refusal(command: &str) -> Option<String> {
    let parsed = match Cli::try_parse_from(words(command)) {
        Ok(parsed) => parsed,
        Err(error) => return Some(error.to_string()),
    };
    let Command::Serve { settings } = parsed.command else {
        return None;
    };
    settings.code_gateway().err().map(|error| error.to_string())
}

#[test]
fn every_command_of_the_documents_is_one_of_this_program() {
    let [guide, readme, doctor] = ["docs/operators-guide.md", "README.md", "docs/doctor.md"].map(read);
    // In the other two, quotes also name commands without all that they need.
    let of_guide: Vec<&str> = apart(&guide).chain(quoted(&guide)).collect();
    let (of_readme, of_doctor): (Vec<&str>, Vec<&str>) = (apart(&readme).collect(), apart(&doctor).collect());
    let found = [of_guide.len(), of_readme.len(), of_doctor.len()];
    assert!(
        found[0] > 20 && found[1] > 3 && found[2] > 0,
        "only {found:?} commands were found"
    );
    for command in [of_guide, of_readme, of_doctor].concat() {
        assert_eq!(refusal(command), None, "{command}");
    }
    assert!(refusal("haechi backup --stanzza haechi").is_some());
    // Others can reach it there, and would be shown everybody's codes.
    assert!(refusal("haechi serve --listen 0.0.0.0:8480").is_some());
}

#[test]
fn every_command_of_the_units_is_one_of_this_program() {
    for unit in ["haechi.service", "haechi-backup.service"] {
        let unit = read(&format!("deploy/systemd/{unit}"));
        let command = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/"))
            .unwrap();
        assert_eq!(refusal(command), None, "{command}");
    }
}

/// The rules of the cluster that the drill proves are those that an operator is given.
#[test]
fn the_drill_and_the_operator_have_the_same_rules_of_patroni() {
    let drill = read("drill/src/patroni.rs");
    let operator = read("deploy/patroni/patroni.yml");
    let rules = drill.split("/// The configuration of a site").next().unwrap();
    // A site on its own machine has a socket for the backup; the drill's sites share one machine.
    let own = ["unix_socket_directories"];
    let mut compared = 0;
    for line in rules.lines() {
        let Some((name, value)) = line
            .trim()
            .strip_prefix('"')
            .and_then(|rest| rest.split_once("\": "))
        else {
            continue;
        };
        let value = value.trim_end_matches(',').trim_matches('"').replace('_', "");
        if own.contains(&name) || value == "{" {
            continue;
        }
        let given = operator
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
        let given = given.map(|value| value.trim_matches('"').replace('_', ""));
        assert_eq!(given.as_deref(), Some(value.as_str()), "{name}");
        compared += 1;
    }
    assert!(compared > 20, "only {compared} rules were compared");
}
