//! Keeps the program startable on glibc 2.34, whatever the machine has that builds it: see `glibc/hypot.c`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=glibc/hypot.c");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let is_glibc = target("OS") == "linux" && target("ENV") == "gnu";
    if !is_glibc || !matches!(target("ARCH").as_str(), "x86_64" | "aarch64") {
        return;
    }
    for object in cc::Build::new().file("glibc/hypot.c").compile_intermediates() {
        // As an object, not as a library: a library is left out where nothing before it asks for it.
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
}
