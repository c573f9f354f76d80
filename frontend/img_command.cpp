#include "frontend/img_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/bits.h"
#include "block/image.h"
#include "block/new_image.h"
#include "frontend/key_values.h"

namespace mynah {

namespace {

using nlohmann::json;

constexpr int kError = 2;
constexpr int kCheckFailed = 1, kDamaged = 2, kLeaks = 3, kNothingToCheck = 63;
constexpr auto read_only = HostFile::Access::read_only;

int fail(const Error& error, int code = kError) {
    std::fprintf(stderr, "mynah img: %s\n", error.message.c_str());
    return code;
}

std::string readable(u64 bytes) {
    static constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double v = static_cast<double>(bytes);
    for (; v >= 1024 && unit + 1 < std::size(units); ++unit) v /= 1024;
    return fmt::format("{:.3g} {}", v, units[unit]);
}

Result<ImageFormat> format_or(const std::string& name, ImageFormat otherwise) {
    return name.empty() ? Result<ImageFormat>(otherwise) : parse_image_format(name);
}

// -o of create and convert.
Status take_options(const std::vector<std::string>& texts, qcow2::Header& h) {
    for (const std::string& text : texts) {
        const auto parts = parse_key_values(text);
        if (!parts) return parts.error();
        for (const KeyValue& part : *parts) {
            const std::string &key = part.key, &value = part.value;
            const auto wrong = [&](std::string_view what) {
                return Error{fmt::format("-o {}={}: {}", key, value, what)};
            };
            if (key == "cluster_size") {
                const auto n = parse_size(value, 1);
                if (!n || *n < 512 || *n > 2 * MiB || (*n & (*n - 1)) != 0)
                    return wrong("clusters are a power of two from 512 to 2M");
                h.cluster_bits = static_cast<u32>(std::countr_zero(*n));
            } else if (key == "compat") {
                if (value != "0.10" && value != "1.1" && value != "v2" && value != "v3")
                    return wrong("compat is 0.10 (version 2) or 1.1 (version 3)");
                h.version = value == "0.10" || value == "v2" ? 2 : 3;
            } else if (key == "refcount_bits") {
                const auto n = parse_number(value);
                if (!n || *n == 0 || *n > 64 || (*n & (*n - 1)) != 0)
                    return wrong("reference counts have 1, 2, 4, 8, 16, 32 or 64 bits");
                h.refcount_order = static_cast<u32>(std::countr_zero(*n));
            } else if (key == "compression_type") {
                if (value != "zlib" && value != "zstd") return wrong("compression is zlib or zstd");
                h.compression = value == "zstd" ? qcow2::Compression::zstd : qcow2::Compression::zlib;
            } else if (key == "backing_file") {
                h.backing_file = value;
            } else if (key == "backing_fmt") {
                h.backing_format = value;
            } else if (!((key == "lazy_refcounts" || key == "preallocation" || key == "extended_l2") &&
                         value == "off")) {
                return Error{
                    fmt::format("-o {}: not supported; there are cluster_size, compat, refcount_bits, "
                                "compression_type, backing_file and backing_fmt",
                                key)};
            }
        }
    }
    if (h.version == 2 && h.refcount_order != 4)
        return Error{"compat=0.10 has reference counts of 16 bits only"};
    if (h.version == 2 && h.compression != qcow2::Compression::zlib)
        return Error{"compat=0.10 has zlib compression only"};
    return Ok{};
}

struct Arguments {
    std::string format, output_format, backing, backing_format, file, target, size, output = "human", repair;
    std::vector<std::string> options;
    bool compressed = false, quiet = false;
};

int create(const Arguments& a) {
    NewImageOptions options;
    const auto format = format_or(a.format, ImageFormat::raw);
    if (!format) return fail(format.error());
    options.format = *format;
    qcow2::Header& h = options.header;
    if (Status s = take_options(a.options, h); !s) return fail(s.error());
    if (!a.backing.empty()) h.backing_file = a.backing;
    if (!a.backing_format.empty()) h.backing_format = a.backing_format;
    if (options.format != ImageFormat::qcow2 && (!h.backing_file.empty() || !a.options.empty()))
        return fail(Error{"a raw image has no backing file and no options; give -f qcow2"});
    u64 bytes = 0;
    if (!h.backing_file.empty()) {
        if (h.backing_format.empty()) return fail(Error{"-b needs -F, the format of the backing file"});
        const auto below = parse_image_format(h.backing_format);
        if (!below) return fail(below.error());
        const auto path = backing_path(a.file, h.backing_file);
        if (!path) return fail(path.error());
        const auto image = open_image(*path, {*below, read_only, 0});
        if (!image) return fail(image.error());
        bytes = (*image)->size();
    }
    if (!a.size.empty()) {
        const auto n = parse_size(a.size, 1);
        if (!n) return fail(n.error());
        bytes = align_up(*n, 512);
    } else if (h.backing_file.empty()) {
        return fail(Error{"a new image needs a size, such as 10G"});
    }
    if (bytes == 0) return fail(Error{"a disk of no bytes is none; give a size such as 10G"});
    if (Status s = create_image(a.file, bytes, options); !s) return fail(s.error());
    return 0;
}

json snapshots_of(const qcow2::Header& h) {
    json list = json::array();
    for (const qcow2::Snapshot& s : h.snapshots) list.push_back({{"id", s.id}, {"name", s.name}});
    return list;
}

void print_qcow2(const qcow2::Header& h) {
    if (!h.snapshots.empty()) {
        std::puts("Snapshot list:\nID        TAG");
        for (const qcow2::Snapshot& s : h.snapshots)
            std::fputs(fmt::format("{:9} {}\n", s.id, s.name).c_str(), stdout);
    }
    std::fputs(fmt::format("Format specific information:\n    compat: {}\n    compression type: {}\n"
                           "    refcount bits: {}\n    corrupt: {}\n",
                           h.version == 2 ? "0.10" : "1.1",
                           h.compression == qcow2::Compression::zlib ? "zlib" : "zstd", 1 << h.refcount_order,
                           (h.incompatible & qcow2::kCorrupt) != 0)
                   .c_str(),
               stdout);
}

int info(const Arguments& a) {
    const auto format = format_or(a.format, ImageFormat::probe);
    if (!format) return fail(format.error());
    auto file = HostImageFile::open(a.file, read_only);
    if (!file) return fail(file.error());
    std::array<u8, 4> start{};
    if (Status s = (*file)->read(0, start); !s) return fail(s.error());
    const bool qcow2 =
        *format == ImageFormat::qcow2 || (*format == ImageFormat::probe && qcow2::is_magic(start));
    qcow2::Header h;
    h.size = align_up((*file)->size(), 512);
    if (qcow2) {
        auto header = Qcow2::read_header(**file);
        if (!header) return fail(header.error());
        h = std::move(*header);
    }
    const u64 taken = (*file)->allocated();
    std::string full;
    if (!h.backing_file.empty()) {
        const auto path = backing_path(a.file, h.backing_file);
        full = path.ok() ? *path : h.backing_file;
    }
    if (a.output == "json") {
        json j{{"filename", a.file},
               {"format", qcow2 ? "qcow2" : "raw"},
               {"virtual-size", h.size},
               {"actual-size", taken},
               {"dirty-flag", (h.incompatible & qcow2::kDirty) != 0}};
        if (qcow2) {
            j["cluster-size"] = h.cluster_size();
            j["format-specific"] = {
                {"type", "qcow2"},
                {"data",
                 {{"compat", h.version == 2 ? "0.10" : "1.1"},
                  {"compression-type", h.compression == qcow2::Compression::zlib ? "zlib" : "zstd"},
                  {"refcount-bits", 1 << h.refcount_order},
                  {"corrupt", (h.incompatible & qcow2::kCorrupt) != 0}}}};
            if (!h.snapshots.empty()) j["snapshots"] = snapshots_of(h);
        }
        if (!full.empty()) {
            j["backing-filename"] = h.backing_file;
            j["full-backing-filename"] = full;
            if (!h.backing_format.empty()) j["backing-filename-format"] = h.backing_format;
        }
        std::puts(j.dump(4, ' ', false, json::error_handler_t::replace).c_str());
        return 0;
    }
    std::fputs(fmt::format("image: {}\nfile format: {}\nvirtual size: {} ({} bytes)\ndisk size: {}\n", a.file,
                           qcow2 ? "qcow2" : "raw", readable(h.size), h.size, readable(taken))
                   .c_str(),
               stdout);
    if (qcow2) std::fputs(fmt::format("cluster_size: {}\n", h.cluster_size()).c_str(), stdout);
    if (!full.empty()) {
        std::fputs(full == h.backing_file
                       ? fmt::format("backing file: {}\n", full).c_str()
                       : fmt::format("backing file: {} (actual path: {})\n", h.backing_file, full).c_str(),
                   stdout);
        if (!h.backing_format.empty())
            std::fputs(fmt::format("backing file format: {}\n", h.backing_format).c_str(), stdout);
    }
    if (qcow2) print_qcow2(h);
    return 0;
}

int check(const Arguments& a) {
    const auto format = format_or(a.format, ImageFormat::probe);
    if (!format) return fail(format.error(), kCheckFailed);
    if (*format == ImageFormat::raw) return fail(Error{"raw images have nothing to check"}, kNothingToCheck);
    const Qcow2::Repair repair = a.repair.empty()      ? Qcow2::Repair::no
                                 : a.repair == "leaks" ? Qcow2::Repair::leaks
                                                       : Qcow2::Repair::all;
    const bool writes = repair != Qcow2::Repair::no;
    if (*format == ImageFormat::probe) {
        auto file = HostImageFile::open(a.file, read_only);
        if (!file) return fail(file.error(), kCheckFailed);
        std::array<u8, 4> start{};
        if (Status s = (*file)->read(0, start); !s) return fail(s.error(), kCheckFailed);
        if (!qcow2::is_magic(start)) return fail(Error{"raw images have nothing to check"}, kNothingToCheck);
    }
    auto image = open_qcow2(a.file, writes ? HostFile::Access::read_write : read_only, false, writes);
    if (!image) return fail(image.error(), kCheckFailed);
    const auto r = (*image)->check(repair);
    if (!r) return fail(r.error(), kCheckFailed);
    for (const std::string& line : r->details) std::puts(line.c_str());
    if (r->corruptions_fixed + r->leaks_fixed != 0) {
        std::fputs(fmt::format("{} leaked clusters and {} corruptions were repaired.\n", r->leaks_fixed,
                               r->corruptions_fixed)
                       .c_str(),
                   stdout);
    }
    const u64 damaged = r->corruptions - r->corruptions_fixed, leaks = r->leaks - r->leaks_fixed;
    if (damaged == 0 && leaks == 0) std::puts("No errors were found on the image.");
    if (damaged != 0) {
        std::fputs(
            fmt::format("\n{} errors were found on the image. Data may be corrupted; writing to it may make "
                        "it worse.\n",
                        damaged)
                .c_str(),
            stdout);
    }
    if (leaks != 0) {
        std::fputs(
            fmt::format("\n{} leaked clusters were found on the image. They waste space and do no harm.\n",
                        leaks)
                .c_str(),
            stdout);
    }
    const auto percent = [](u64 part, u64 all) {
        return all == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
    };
    std::fputs(fmt::format("{}/{} = {:.2f}% allocated, {:.2f}% compressed clusters\nImage end offset: {}\n",
                           r->allocated_clusters, r->total_clusters,
                           percent(r->allocated_clusters, r->total_clusters),
                           percent(r->compressed_clusters, r->allocated_clusters), r->image_end)
                   .c_str(),
               stdout);
    return damaged != 0 ? kDamaged : leaks != 0 ? kLeaks : 0;
}

int convert(const Arguments& a) {
    const auto from = format_or(a.format, ImageFormat::probe);
    const auto to = format_or(a.output_format, ImageFormat::raw);
    if (!from) return fail(from.error());
    if (!to) return fail(to.error());
    NewImageOptions options;
    options.format = *to;
    options.compressed = a.compressed;
    if (Status s = take_options(a.options, options.header); !s) return fail(s.error());
    if (*to != ImageFormat::qcow2 && (a.compressed || !a.options.empty()))
        return fail(Error{"a raw image has no options and no compression; give -O qcow2"});
    if (!options.header.backing_file.empty())
        return fail(Error{"convert makes an image that stands alone; make one over another with create -b"});
    const auto source = open_image(a.file, {*from, read_only, 0});
    if (!source) return fail(source.error());
    if (Status s = convert_image(**source, a.target, options); !s) return fail(s.error());
    return 0;
}

}  // namespace

int run_img_command(std::span<const std::string> arguments) {
    Arguments a;
    CLI::App app{"Disk images without a machine; options are qemu-img's.", "mynah img"};
    app.require_subcommand(1);
    const auto common = [&a](CLI::App* command, bool quiet) {
        command->add_option("-f", a.format, "format: raw or qcow2 (of an image that is there: found out)");
        if (quiet) command->add_flag("-q", a.quiet, "ignored: nothing is said");
    };
    CLI::App* create_command = app.add_subcommand("create", "make an empty image");
    common(create_command, true);
    create_command->add_option("-b", a.backing, "image to be read where nothing was written yet");
    create_command->add_option("-F", a.backing_format, "its format");
    create_command
        ->add_option("-o", a.options, "cluster_size=64K,compat=1.1,refcount_bits=16,compression_type=zlib")
        ->allow_extra_args(false);
    create_command->add_option("file", a.file, "the new image")->required();
    create_command->add_option("size", a.size, "bytes, or with K, M, G, T; left out: the backing file's");
    CLI::App* info_command = app.add_subcommand("info", "what an image is");
    common(info_command, false);
    info_command->add_option("--output", a.output, "human or json")->check(CLI::IsMember({"human", "json"}));
    info_command->add_option("file", a.file, "image")->required();
    CLI::App* check_command = app.add_subcommand("check", "look for damage; exit code 2: damaged, 3: leaks");
    common(check_command, true);
    check_command->add_option("-r", a.repair, "repair: leaks or all")->check(CLI::IsMember({"leaks", "all"}));
    check_command->add_option("file", a.file, "image")->required();
    CLI::App* convert_command = app.add_subcommand("convert", "copy an image into another format");
    common(convert_command, true);
    convert_command->add_option("-O", a.output_format, "format of the new image (raw)");
    convert_command->add_flag("-c", a.compressed, "compress it (qcow2)");
    convert_command->add_option("-o", a.options, "as of create")->allow_extra_args(false);
    convert_command->add_option("source", a.file, "image")->required();
    convert_command->add_option("target", a.target, "the new image")->required();

    const auto is_meant = [&](CLI::App* command) { return command->get_name() == arguments[0]; };
    if (!arguments.empty() && !arguments[0].starts_with('-') && app.get_subcommands(is_meant).empty()) {
        return fail(Error{fmt::format("there is no command \"{}\"; there are create, info, check and convert",
                                      arguments[0])});
    }
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        return fail(Error{fmt::format("{}; see mynah img --help", e.what())});
    }
    if (*create_command) return create(a);
    if (*info_command) return info(a);
    if (*check_command) return check(a);
    return convert(a);
}

}  // namespace mynah
