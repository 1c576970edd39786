// Loads an exported version as TensorFlow Serving does and compares its answers with the recorded ones.
//
//     loader_check MODELS/NAME/VERSION [SIZE...]
//
// TensorFlow Serving loads by tensorflow::LoadSavedModel into a session, and forbids XLA to compile unless it
// was started to allow it. So does this program. Exit code: 0 every answer is as recorded, 1 it is not.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/compiler/jit/flags.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_util.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/protobuf/named_tensor.pb.h"
#include "tensorflow/core/public/session.h"
#include "tensorflow/core/public/session_options.h"

namespace {

using tensorflow::DataType;
using tensorflow::Tensor;
using Tensors = std::map<std::string, Tensor>;

// Of an image relative to its largest value, and of a probability; on the machine that exported.
constexpr double kTolerance = 1e-3;
// Of what is made of gradients, as serve-check has it. A batch of another size runs other kernels, and decoded
// images differ in the last bit: that opens or closes a ReLU at a point of the path, and moved maps by up to 7e-3.
constexpr double kGradientTolerance = 1e-2;
// Of a map as it is: its values are small numbers, and both rules must hold.
constexpr double kMapTolerance = 1e-4;
// Below this change of the probability a residual relative to it says nothing.
constexpr float kSmallestChange = 1e-6f;
constexpr char kServingTag[] = "serve";
constexpr char kXlaSignature[] = "explain_xla";
constexpr char kXlaRefusal[] = "XLA compilation disabled";

struct Case {
  Tensors inputs;
  Tensors outputs;
};

[[noreturn]] void Refuse(const std::string& reason) {
  std::cerr << "loader_check: " << reason << "\n";
  std::exit(EXIT_FAILURE);
}

void Require(const absl::Status& status, const std::string& what) {
  if (!status.ok()) Refuse(what + ": " + std::string(status.message()));
}

// Reads records of NamedTensorProto, named SIGNATURE/inputs/NAME or SIGNATURE/outputs/NAME.
std::map<std::string, Case> ReadCases(const std::string& path) {
  std::unique_ptr<tensorflow::RandomAccessFile> file;
  Require(tensorflow::Env::Default()->NewRandomAccessFile(path, &file), path);
  tensorflow::io::SequentialRecordReader reader(file.get());
  std::map<std::string, Case> cases;
  tensorflow::tstring record;
  absl::Status status;
  while ((status = reader.ReadRecord(&record)).ok()) {
    tensorflow::NamedTensorProto named;
    Tensor tensor;
    if (!named.ParseFromString(std::string(record)) || !tensor.FromProto(named.tensor())) {
      Refuse(path + ": a record is damaged");
    }
    const std::string name = named.name();
    const size_t first = name.find('/'), second = name.rfind('/');
    Case& of_signature = cases[name.substr(0, first)];
    const bool is_input = name.substr(first + 1, second - first - 1) == "inputs";
    (is_input ? of_signature.inputs : of_signature.outputs)[name.substr(second + 1)] = tensor;
  }
  if (!absl::IsOutOfRange(status)) Require(status, path);
  return cases;
}

// The first images of a batch, in memory of their own.
Tensor FirstImages(const Tensor& batch, int64_t size) {
  return tensorflow::tensor::DeepCopy(batch.Slice(0, size));
}

Tensors Run(const tensorflow::SavedModelBundle& bundle, const std::string& signature, const Tensors& inputs,
            absl::Status* status) {
  const tensorflow::SignatureDef& signature_def = bundle.GetSignatures().at(signature);
  std::vector<std::pair<std::string, Tensor>> feeds;
  for (const auto& [name, tensor] : inputs) {
    const auto info = signature_def.inputs().find(name);
    if (info == signature_def.inputs().end()) Refuse(signature + " has no input " + name + ", which is recorded");
    feeds.emplace_back(info->second.name(), tensor);
  }
  std::vector<std::string> names, fetches;
  for (const auto& [name, info] : signature_def.outputs()) {
    names.push_back(name);
    fetches.push_back(info.name());
  }
  std::vector<Tensor> fetched;
  *status = bundle.session->Run(feeds, fetches, {}, &fetched);
  Tensors outputs;
  for (size_t i = 0; i < fetched.size(); ++i) outputs[names[i]] = fetched[i];
  return outputs;
}

// What the differences of one image's residual are multiplied with: it is relative to this change.
std::vector<float> Changes(const Tensors& expected, int64_t size) {
  std::vector<float> changes(size, 1.0f);
  if (expected.count("completeness_residual") == 0) return changes;
  const auto start = expected.at("probability_start").flat<float>();
  const auto adversary = expected.at("probability_adversary").flat<float>();
  for (int64_t i = 0; i < size; ++i) changes[i] = std::max(std::abs(adversary(i) - start(i)), kSmallestChange);
  return changes;
}

struct Apart {
  double absolute = 0.0;
  double relative = 0.0;  // of pictures to the largest value of each
};

// The largest differences of the first images.
Apart Difference(const std::string& name, const Tensor& values, const Tensor& expected, int64_t size,
                 const std::vector<float>& changes) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (values.dtype() != expected.dtype() || values.dims() != expected.dims() || values.dim_size(0) != size) {
    return {kInfinity, kInfinity};
  }
  const int64_t length = expected.NumElements() / expected.dim_size(0);  // values of one image
  if (values.NumElements() != size * length) return {kInfinity, kInfinity};
  if (values.dtype() == DataType::DT_BOOL) {
    for (int64_t i = 0; i < size; ++i) {
      if (values.flat<bool>()(i) != expected.flat<bool>()(i)) return {1.0, 1.0};
    }
    return {};
  }
  const auto actual = values.flat<float>();
  const auto wanted = expected.flat<float>();
  Apart largest;
  for (int64_t image = 0; image < size; ++image) {
    double difference = 0.0, peak = 0.0;
    for (int64_t i = image * length; i < (image + 1) * length; ++i) {
      const double apart = std::abs(static_cast<double>(actual(i)) - wanted(i));
      if (!(apart <= difference)) difference = apart;  // so written that NaN is kept
      peak = std::max(peak, static_cast<double>(std::abs(wanted(i))));
    }
    if (!(difference <= largest.absolute)) largest.absolute = difference;
    if (expected.dims() > 1) {
      difference /= std::max(peak, static_cast<double>(std::numeric_limits<float>::min()));
    } else if (name == "completeness_residual") {
      difference *= changes[image];
    }
    if (!(difference <= largest.relative)) largest.relative = difference;
  }
  return largest;
}

void CheckSignature(const tensorflow::SavedModelBundle& bundle, const std::string& signature, const Case& recorded,
                    int64_t size) {
  Tensors inputs;
  for (const auto& [name, tensor] : recorded.inputs) {
    if (tensor.dim_size(0) < size) Refuse("only " + std::to_string(tensor.dim_size(0)) + " images are recorded");
    inputs[name] = FirstImages(tensor, size);
  }
  const std::string where = signature + ", batch of " + std::to_string(size);
  absl::Status status;
  Run(bundle, signature, inputs, &status);  // the first run of a signature prepares its graph
  Require(status, where);
  const auto begin = std::chrono::steady_clock::now();
  const Tensors outputs = Run(bundle, signature, inputs, &status);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  Require(status, where);
  const std::vector<float> changes = Changes(recorded.outputs, size);
  double largest = 0.0;
  Apart of_map;
  for (const auto& [name, expected] : recorded.outputs) {
    if (outputs.count(name) == 0) Refuse(where + ": no output " + name);
    const Apart apart = Difference(name, outputs.at(name), expected, size, changes);
    const bool is_map = name == "map";
    const double tolerance = is_map || name == "completeness_residual" ? kGradientTolerance : kTolerance;
    if (!(apart.relative <= tolerance) || (is_map && !(apart.absolute <= kMapTolerance))) {
      Refuse(where + ": " + name + " is " + std::to_string(apart.relative) + " (absolute " +
             std::to_string(apart.absolute) + ") from what was recorded");
    }
    largest = std::max(largest, apart.relative);
    if (is_map) of_map = apart;
  }
  std::cout << where << ": " << seconds.count() << " s, largest difference " << largest;
  if (recorded.outputs.count("map")) {
    std::cout << "; map " << of_map.relative << " of its largest value, " << of_map.absolute << " absolute";
  }
  std::cout << "\n";
}

// Where the export has the signature for XLA, it must be refused: that shows that XLA is off here.
void CheckXlaIsRefused(const tensorflow::SavedModelBundle& bundle, const Case& recorded) {
  Tensors inputs;
  for (const auto& [name, tensor] : recorded.inputs) inputs[name] = FirstImages(tensor, 1);
  absl::Status status;
  Run(bundle, kXlaSignature, inputs, &status);
  if (status.ok()) Refuse(std::string(kXlaSignature) + " ran although XLA is off");
  if (status.message().find(kXlaRefusal) == std::string::npos) {
    Refuse(std::string(kXlaSignature) + " fails otherwise than XLA that is off: " + std::string(status.message()));
  }
  std::cout << kXlaSignature << ": refused as it must be (" << status.message().substr(0, 80) << ")\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) Refuse("name a folder MODELS/NAME/VERSION, and batch sizes if wanted");
  const std::string folder = argv[1];
  std::vector<int64_t> sizes;
  for (int i = 2; i < argc; ++i) {
    sizes.push_back(std::atoll(argv[i]));
    if (sizes.back() < 1) Refuse(std::string(argv[i]) + " is no batch size");
  }
  tensorflow::DisableXlaCompilation();
  const std::map<std::string, Case> cases = ReadCases(folder + "/assets.extra/cases.tfrecord");
  tensorflow::SavedModelBundle bundle;
  Require(tensorflow::LoadSavedModel(tensorflow::SessionOptions(), tensorflow::RunOptions(), folder,
                                     {kServingTag}, &bundle),
          folder);
  if (cases.count("serving_default") == 0) Refuse("no case of serving_default is recorded");
  for (const auto& [signature, recorded] : cases) {
    if (bundle.GetSignatures().count(signature) == 0) Refuse("the model has no signature " + signature);
    const int64_t all = recorded.inputs.begin()->second.dim_size(0);
    for (int64_t size : sizes.empty() ? std::vector<int64_t>{1, all} : sizes) {
      CheckSignature(bundle, signature, recorded, size);
    }
  }
  if (bundle.GetSignatures().count(kXlaSignature)) CheckXlaIsRefused(bundle, cases.at("serving_default"));
  std::cout << folder << " answers as recorded\n";
  return EXIT_SUCCESS;
}
