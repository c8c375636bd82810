//! Is every write made, counted and cleaned up?

use super::*;

#[test]
fn the_schedule_is_kept_and_the_file_is_removed() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let times = Times { warmup_s: 0.1, duration_s: 0.3, drain_s: 10.0 };
    let args = Args { dir: dir.path().to_owned(), writes_per_s: 100.0, writers: 2, file_mib: 1, times };
    let figures = run(args).unwrap();
    assert_eq!((&figures["latency_us"]["count"], &figures["write_us"]["count"]), (&json!(30), &json!(30)));
    assert_eq!(figures["late"], 0);
    let latency = figures["latency_us"]["p50"].as_f64().unwrap();
    assert!(latency >= figures["write_us"]["p50"].as_f64().unwrap() * 0.9);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let times = Times { warmup_s: 0.0, duration_s: 0.1, drain_s: 0.0 };
    let args = Args { dir: "/nowhere".into(), writes_per_s: 100.0, writers: 1, file_mib: 1, times };
    assert!(format!("{:#}", run(args).unwrap_err()).starts_with("/nowhere/"));
}
