//! Tells the linker that Node brings the symbols of N-API, and cargo when the declarations are wanted.

fn main() {
    napi_build::setup();
    // node/scripts/native.mjs names the folder that the macros write them into.
    println!("cargo::rerun-if-env-changed=NAPI_TYPE_DEF_TMP_FOLDER");
}
