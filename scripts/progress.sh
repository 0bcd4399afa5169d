# Sourced: how the scripts show what they do. One line a step with the seconds since the start, output in a log, the end
# of the log only when the step fails.

export scripts_started=${scripts_started:-$(date +%s)} # a script that another one calls counts on
logs=build/logs
mkdir -p "$logs"

# The library is compiled for the tests, for pip and for a consumer: ccache compiles it once.
# Its depend mode spares a second run of the preprocessor, which a cold build would feel. The compiler has one name for
# all of them; pip's build would take another from Python's own.
export CC=${CC:-cc} CXX=${CXX:-c++}
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
fi

seconds() { echo $(($(date +%s) - scripts_started)); }

say() { printf '[%4d s] %s\n' "$(seconds)" "$*"; }

die() {
  say "$*" >&2
  exit 1
}

# step LOG "what happens" COMMAND...: runs the command quietly. Fails as it fails, with the end of its output.
step() {
  local log="$logs/$1.log" what="$2"
  shift 2
  say "$what"
  if "$@" >"$log" 2>&1; then return 0; fi
  local code=$?
  say "failed with exit code $code; the last lines of $log:" >&2
  tail -n 40 "$log" >&2
  return $code
}
