//! Which crate may use which: the table of ARCHITECTURE.md against the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates of the workspace by name, without the prefix, and which of the others each uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn short(name: &str) -> String {
    name.strip_prefix("gioconda-").unwrap_or(name).to_owned()
}

/// As the manifests say; what only tests, examples and benchmarks use does not count.
fn manifests() -> Uses {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let crates: BTreeSet<String> = packages.iter().map(name).collect();
    let uses = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let used = dependencies.iter().filter(|dependency| dependency["kind"] != "dev").map(name);
        used.filter(|name| crates.contains(name)).map(|name| short(&name)).collect()
    };
    packages.iter().map(|package| (short(&name(package)), uses(package))).collect()
}

/// The rows of the table, from the top floor to the ground: crate, and which others it uses.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let rows = page.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [name, _, uses] = cells[..] else { panic!("three cells: {line}") };
        let name = names(name).pop().unwrap_or_else(|| panic!("a crate's name: {line}"));
        (name, names(uses).into_iter().collect())
    };
    rows.take_while(|line| line.starts_with('|')).map(row).collect()
}

#[test]
fn the_table_of_crates_is_true() {
    let table: Uses = table().into_iter().collect();
    let manifests = manifests();
    assert!(table.keys().eq(manifests.keys()), "ARCHITECTURE.md lists {:?}", table.keys());
    for (name, uses) in manifests {
        assert_eq!(
            uses, table[&name],
            "{name}: on the left what its Cargo.toml uses, on the right ARCHITECTURE.md"
        );
    }
}

#[test]
fn nothing_points_upward() {
    let mut above = BTreeSet::new();
    for (name, uses) in table() {
        above.insert(name.clone());
        let upward: Vec<_> = uses.intersection(&above).collect();
        assert!(upward.is_empty(), "{name} uses {upward:?}, which stand no lower in ARCHITECTURE.md");
    }
}
