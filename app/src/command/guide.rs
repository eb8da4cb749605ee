//! The commands in the operator's guide and in deploy/ are commands of this program.
#![allow(clippy::unwrap_used)]

use clap::Parser as _;

use super::Cli;

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

/// The commands in a document: lines that stand apart, and those in `quotes` that say what to do.
fn commands(document: &str) -> Vec<String> {
    let apart = document
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("haechi "));
    let inline = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("haechi "));
    apart.chain(inline).map(str::to_owned).collect()
}

fn refusal(command: &str) -> Option<String> {
    Cli::try_parse_from(words(command))
        .err()
        .map(|error| error.to_string())
}

#[test]
fn every_command_of_the_guide_is_one_of_this_program() {
    let guide = read("docs/operators-guide.md");
    let commands = commands(&guide);
    assert!(commands.len() > 20, "only {} commands were found", commands.len());
    for command in commands {
        // What the guide says is to come, it names and nothing more.
        if guide.contains(&format!(
            "`{command}`, which asks all of this at once, is **to come**"
        )) {
            assert_eq!(words(&command).len(), 2, "{command}");
            continue;
        }
        let refusal = refusal(&command);
        assert!(refusal.is_none(), "{command}: {}", refusal.unwrap_or_default());
    }
    assert!(refusal("haechi backup --stanzza haechi").is_some());
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
