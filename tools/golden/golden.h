#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ropeline/device.h"
#include "tools/golden/angles.h"
#include "tools/golden/judgement.h"
#include "tools/golden/recording.h"

/// The golden run: what unmodified models recorded, run through devices of this machine and through the scalar
/// reference. tests/golden/README.md describes the files.
namespace ropeline::tools::golden {

/// Streams of a layer that were left out, and why.
struct Refusal {
  std::string what;    ///< "sliding: v"
  std::string reason;  ///< the sentence of `supports`, or why the recording has nothing to feed
  Feed feed = Feed::rows;
};

/// What one file gave.
struct Report {
  std::string family;
  std::int64_t values = 0;               ///< output values that were compared with the reference, over all devices
  std::int64_t bits_differ = 0;          ///< bits in which a device and the reference differ; 0 by contract
  Judgement rows, inv_freq, parameters;  ///< against the recorded outputs, one for each feed
  std::vector<Refusal> refusals;
  std::vector<std::string> faults;  ///< everything that is wrong, a sentence each; empty when the file passes

  Judgement& of(Feed feed) { return feed == Feed::rows ? rows : feed == Feed::inv_freq ? inv_freq : parameters; }
};

/// Runs one file on those devices. Throws Error for a file that cannot be read; anything else is in the report.
Report run(const Recording& recording, const std::vector<Device>& devices);

/// The golden files of a folder, in order of name. Throws Error{invalid_argument} when there is none.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder);

}  // namespace ropeline::tools::golden
