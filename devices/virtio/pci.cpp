#include "devices/virtio/pci.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace mynah {

namespace {

constexpr u16 kVendor = 0x1AF4, kFirstDevice = 0x1040;
constexpr unsigned kMessagesBar = 1, kStructuresBar = 4;
// Where the structures are in their BAR.
constexpr u32 kCommon = 0x0000, kIsr = 0x1000, kDevice = 0x2000, kNotify = 0x3000, kBarSize = 0x4000;
constexpr u32 kNotifyMultiplier = 4;
constexpr u32 kCommonSize = 56;

// Structure types (4.1.4).
constexpr u8 kCommonType = 1, kNotifyType = 2, kIsrType = 3, kDeviceType = 4, kWindowType = 5;
// Offsets in the capability.
constexpr u8 kCapabilityBar = 4, kCapabilityOffset = 8, kCapabilityLength = 12, kCapabilitySize = 16;
constexpr u8 kWindowData = 16;

// Common configuration (4.1.4.3).
enum CommonField : u32 {
    device_feature_select = 0,
    device_feature = 4,
    driver_feature_select = 8,
    driver_feature = 12,
    config_vector = 16,
    queue_count = 18,
    device_status = 20,
    config_generation = 21,
    queue_select = 22,
    queue_size = 24,
    queue_vector = 26,
    queue_enable = 28,
    queue_notify_offset = 30,
    queue_descriptors = 32,
    queue_available = 40,
    queue_used = 48,
};

struct FieldPlace {
    u32 offset;
    u8 width;
};
// Those that a driver writes; addresses by halves.
constexpr FieldPlace kWritable[] = {
    {device_feature_select, 4},
    {driver_feature_select, 4},
    {driver_feature, 4},
    {config_vector, 2},
    {device_status, 1},
    {queue_select, 2},
    {queue_size, 2},
    {queue_vector, 2},
    {queue_enable, 2},
    {queue_descriptors, 4},
    {queue_descriptors + 4, 4},
    {queue_available, 4},
    {queue_available + 4, 4},
    {queue_used, 4},
    {queue_used + 4, 4},
};

// Device status (2.1).
constexpr u8 kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64;
constexpr u8 kQueueInterrupt = 1, kConfigInterrupt = 2;

// Transport features (chapter 6).
constexpr unsigned kIndirectFeature = 28, kEventIndexFeature = 29, kVersion1 = 32;

u64 with_half(u64 whole, bool upper, u32 half) {
    return upper ? (whole & 0xFFFF'FFFF) | u64{half} << 32 : (whole & ~u64{0xFFFF'FFFF}) | half;
}

}  // namespace

VirtioPci::VirtioPci(std::string name, Kind kind, EventQueue& events, const std::vector<u16>& queue_sizes,
                     u32 config_bytes)
    : PciFunction({.vendor = kVendor,
                   .device = static_cast<u16>(kFirstDevice + kind.type),
                   .revision = 1,
                   .class_code = kind.class_code,
                   .interrupt_pin = 1}),
      name_(std::move(name)),
      events_(events),
      timer_(events, [this] { run(); }),
      config_structure_(config_bytes) {
    MYNAH_CHECK(queue_sizes.size() < 32 && config_bytes <= kNotify - kDevice);
    for (const u16 size : queue_sizes) queues_.emplace_back(size);
    add_mmio_bar(kStructuresBar, kBarSize, structures);
    add_structure(kWindowType, 0, 0);
    add_structure(kNotifyType, kNotify, kNotifyMultiplier * static_cast<u32>(queues_.size()),
                  kNotifyMultiplier);
    if (config_bytes != 0) add_structure(kDeviceType, kDevice, config_bytes);
    add_structure(kIsrType, kIsr, 1);
    add_structure(kCommonType, kCommon, kCommonSize);
    add_msix(kMessagesBar, messages, static_cast<unsigned>(queues_.size()) + 1);
}

void VirtioPci::add_structure(u8 type, u32 offset, u32 length, std::optional<u32> multiplier) {
    const bool window = type == kWindowType;
    const u8 size = multiplier || window ? kCapabilitySize + 4 : kCapabilitySize;
    const u8 at = add_capability(pci::vendor_capability, size);
    const auto in = [at](u8 field) { return static_cast<u8>(at + field); };
    set_config8(in(2), size);
    set_config8(in(3), type);
    set_config8(in(kCapabilityBar), window ? 0 : kStructuresBar, window ? 0xFF : 0);
    set_config32(in(kCapabilityOffset), offset, window ? ~0u : 0);
    set_config32(in(kCapabilityLength), length, window ? ~0u : 0);
    if (multiplier) set_config32(in(kCapabilitySize), *multiplier);
    if (window) {
        set_config32(in(kWindowData), 0, ~0u);
        window_ = at;
    }
}

// --- state ---

u64 VirtioPci::offered() const {
    return offered_ | u64{1} << kIndirectFeature | u64{1} << kEventIndexFeature | u64{1} << kVersion1;
}

VirtioRingFeatures VirtioPci::ring_features() const {
    return {negotiated(kIndirectFeature), negotiated(kEventIndexFeature)};
}

bool VirtioPci::live() const {
    return (status_ & (kDriverOk | kNeedsReset)) == kDriverOk && bus() != nullptr && bus_master();
}

void VirtioPci::reset_transport() {
    for (VirtioQueue& q : queues_) q.reset();
    feature_select_ = driver_feature_select_ = 0;
    driver_features_ = 0;
    config_vector_ = VirtioQueue::kNoVector;
    status_ = generation_ = isr_ = 0;
    queue_select_ = 0;
    scheduled_ = 0;
    timer_.cancel();
    set_interrupt(false);
    reset_device();
}

void VirtioPci::reset() {
    reset_transport();
    reset_config();
}

void VirtioPci::visit(Archive& ar) {
    ar.section(name_);
    visit_config(ar);
    ar.all(feature_select_, driver_feature_select_, driver_features_, config_vector_, status_, generation_,
           queue_select_, isr_, scheduled_);
    for (VirtioQueue& q : queues_) q.visit(ar);
    for (u8& byte : config_structure_) ar(byte);
    visit_device(ar);
    ar(timer_);
    if (!ar.loading()) return;
    scheduled_ &= (u64{1} << queues_.size()) - 1;
}

// --- interrupts ---

void VirtioPci::interrupt(u16 vector, u8 isr_bit) {
    if (msix()->enabled()) {
        if (vector != VirtioQueue::kNoVector) msix()->signal(vector);
        return;
    }
    isr_ |= isr_bit;
    set_interrupt(true);
}

u8 VirtioPci::isr_and_clear() {
    set_interrupt(false);
    return std::exchange(isr_, u8{0});
}

void VirtioPci::config_changed() {
    ++generation_;
    if (status_ & kDriverOk) interrupt(config_vector_, kConfigInterrupt);
}

void VirtioPci::fail(std::string_view why) {
    if (status_ & kNeedsReset) return;
    if (bus() != nullptr) bus()->log()(LogItem::guest_errors, "{}: {}; it waits for a reset", name_, why);
    status_ |= kNeedsReset;
    if (status_ & kDriverOk) interrupt(config_vector_, kConfigInterrupt);
}

// --- work ---

void VirtioPci::schedule(unsigned queue) {
    scheduled_ |= u64{1} << queue;
    if (timer_.armed()) return;
    timer_.arm_in(0);
    // Against a host's clock events wait for the end of a slice: it comes now.
    events_.took_long();
}

void VirtioPci::run() {
    if (!live()) return;  // what is scheduled stays so until the driver allows it
    const u64 queues = std::exchange(scheduled_, 0);
    starved_ = 0;
    const VirtioRingFeatures features = ring_features();
    VirtioMemory ram = memory();
    for (unsigned n = 0; n < queues_.size() && live(); ++n) {
        if (bit(queues, n) && queues_[n].enabled()) work(n);
    }
    for (unsigned n = 0; n < queues_.size() && live(); ++n) {
        VirtioQueue& q = queues_[n];
        if (!q.enabled()) continue;
        // What waits without having been taken is of no use yet, and so would be more of it.
        if (bit(queues, n) && !bit(scheduled_, n) && (bit(starved_, n) || q.empty(ram)))
            q.want_notifications(ram, features, true);
        if (q.publish(ram, features)) interrupt(q.vector(), kQueueInterrupt);
    }
}

bool VirtioPci::pop(unsigned queue, VirtioChain& chain) {
    if (!live() || !queues_[queue].enabled()) return false;
    VirtioMemory ram = memory();
    const VirtioQueue::Next next = queues_[queue].pop(ram, ring_features(), chain);
    if (next == VirtioQueue::Next::broken) fail(fmt::format("queue {} makes no sense", queue));
    return next == VirtioQueue::Next::chain;
}

bool VirtioPci::follow(unsigned queue, u16 head, VirtioChain& chain) {
    if (bus() == nullptr) return false;
    VirtioMemory ram = memory();
    return queues_[queue].follow(ram, ring_features(), head, chain);
}

void VirtioPci::push(unsigned queue, const VirtioChain& chain, u32 written) {
    VirtioMemory ram = memory();
    queues_[queue].push(ram, chain.head, written);
}

// --- registers ---

std::vector<u8> VirtioPci::common_image() const {
    std::vector<u8> image(kCommonSize);
    const auto put = [&image](u32 at, auto value) { store_le(&image[at], value); };
    const auto features = [](u64 all, u32 select) {
        return select < 2 ? static_cast<u32>(all >> (32 * select)) : 0u;
    };
    put(device_feature_select, feature_select_);
    put(device_feature, features(offered(), feature_select_));
    put(driver_feature_select, driver_feature_select_);
    put(driver_feature, features(driver_features_, driver_feature_select_));
    put(config_vector, config_vector_);
    put(queue_count, static_cast<u16>(queues_.size()));
    put(device_status, status_);
    put(config_generation, generation_);
    put(queue_select, queue_select_);
    if (queue_select_ >= queues_.size()) return image;  // a size of 0: there is none
    const VirtioQueue& q = queues_[queue_select_];
    put(queue_size, q.size());
    put(queue_vector, q.vector());
    put(queue_enable, static_cast<u16>(q.enabled()));
    put(queue_notify_offset, queue_select_);
    put(queue_descriptors, q.descriptors());
    put(queue_available, q.available());
    put(queue_used, q.used());
    return image;
}

u16 VirtioPci::vector_or_none(u32 vector) const {
    return vector < msix()->vectors() ? static_cast<u16>(vector) : VirtioQueue::kNoVector;
}

void VirtioPci::set_status(u8 value) {
    if (value == 0) return reset_transport();
    const bool was_live = live();
    if ((value & kFeaturesOk) && !(status_ & kFeaturesOk)) {
        const bool acceptable = bit(driver_features_, kVersion1) && (driver_features_ & ~offered()) == 0;
        if (!acceptable) value &= static_cast<u8>(~kFeaturesOk);
    }
    // Bits are only ever added, and the last is the device's own.
    status_ |= value & static_cast<u8>(~kNeedsReset);
    if (!was_live && (status_ & kDriverOk)) {
        started();
        if (scheduled_ != 0 && !timer_.armed()) timer_.arm_in(0);
    }
}

void VirtioPci::set_common(u32 field, u32 value) {
    VirtioQueue* q = selected();
    switch (field) {
        case device_feature_select:
            feature_select_ = value;
            return;
        case driver_feature_select:
            driver_feature_select_ = value;
            return;
        case driver_feature:
            if (driver_feature_select_ < 2 && !(status_ & kFeaturesOk))
                driver_features_ = with_half(driver_features_, driver_feature_select_ == 1, value);
            return;
        case config_vector:
            config_vector_ = vector_or_none(value);
            return;
        case device_status:
            return set_status(static_cast<u8>(value));
        case queue_select:
            queue_select_ = static_cast<u16>(value);
            return;
        default:
            break;
    }
    if (q == nullptr) return;
    switch (field) {
        case queue_size:
            return q->set_size(static_cast<u16>(value));
        case queue_vector:
            return q->set_vector(vector_or_none(value));
        case queue_enable:
            if (value == 1) q->enable();
            return;
        default: {
            const bool upper = (field & 4) != 0;
            if (field < queue_available) return q->set_descriptors(with_half(q->descriptors(), upper, value));
            if (field < queue_used) return q->set_available(with_half(q->available(), upper, value));
            return q->set_used(with_half(q->used(), upper, value));
        }
    }
}

void VirtioPci::write_common(u64 offset, u64 value, unsigned width) {
    // Drivers write whole fields; anything else is what those bytes of the fields become.
    std::vector<u8> image = common_image();
    for (unsigned i = 0; i < width; ++i) image[offset + i] = static_cast<u8>(value >> (8 * i));
    for (const FieldPlace& f : kWritable) {
        if (f.offset >= offset + width || offset >= f.offset + f.width) continue;
        u32 field = 0;
        for (unsigned i = 0; i < f.width; ++i) field |= u32{image[f.offset + i]} << (8 * i);
        set_common(f.offset, field);
    }
}

BankInfo VirtioPci::bank(BankId bank) const {
    return bank == structures ? BankInfo{kBarSize, 4} : BankInfo{Msix::kBarSize, 4};
}

u64 VirtioPci::read(BankId bank, u64 offset, unsigned width) {
    if (bank == messages) return msix()->read(offset, width);
    u64 value = 0;
    const auto from = [&](std::span<const u8> bytes, u64 at) {
        for (unsigned i = 0; i < width && at + i < bytes.size(); ++i) value |= u64{bytes[at + i]} << (8 * i);
    };
    if (offset < kIsr) {
        if (offset < kCommonSize) from(common_image(), offset);
    } else if (offset < kDevice) {
        if (offset == kIsr) value = isr_and_clear();
    } else if (offset < kNotify) {
        from(config_structure_, offset - kDevice);
    }
    return value;
}

void VirtioPci::write(BankId bank, u64 offset, u64 value, unsigned width) {
    if (bank == messages) return msix()->write(offset, value, width);
    if (offset < kIsr) {
        if (offset + width <= kCommonSize) write_common(offset, value, width);
    } else if (offset >= kNotify) {
        const u64 n = (offset - kNotify) / kNotifyMultiplier;
        if (n >= queues_.size() || !queues_[n].enabled()) return;
        if (live()) {
            VirtioMemory ram = memory();
            queues_[n].want_notifications(ram, ring_features(), false);
        }
        schedule(static_cast<unsigned>(n));
    } else if (offset >= kDevice) {
        if (offset - kDevice + width <= config_structure_.size())
            config_structure_written(static_cast<u32>(offset - kDevice), value, width);
    }
}

// --- access through configuration space (4.1.4.7) ---

bool VirtioPci::window_target(BankId& bank, u32& offset, unsigned& width) const {
    const u8 bar = config8(static_cast<u8>(window_ + kCapabilityBar));
    offset = config32(static_cast<u8>(window_ + kCapabilityOffset));
    width = config32(static_cast<u8>(window_ + kCapabilityLength));
    if (bar != kMessagesBar && bar != kStructuresBar) return false;
    if (width != 1 && width != 2 && width != 4) return false;
    bank = bar == kMessagesBar ? messages : structures;
    const u32 length = bar == kMessagesBar ? Msix::kBarSize : kBarSize;
    return offset < length && offset % width == 0;
}

void VirtioPci::config_reading(u8 offset, unsigned width) {
    const u8 data = static_cast<u8>(window_ + kWindowData);
    if (offset >= data + 4 || offset + width <= data) return;
    BankId target = 0;
    u32 at = 0;
    unsigned size = 0;
    if (!window_target(target, at, size)) return;
    const u64 value = read(target, at, size);
    for (u8 i = 0; i < 4; ++i)
        put_config8(static_cast<u8>(data + i), i < size ? static_cast<u8>(value >> (8 * i)) : u8{0});
}

void VirtioPci::config_written(u8 offset, unsigned width) {
    // The driver may have made the device a bus master after it had notified it, or switched MSI-X.
    if (offset < pci::command + 2 && offset + width > pci::command && live() && scheduled_ != 0 &&
        !timer_.armed())
        timer_.arm_in(0);
    set_interrupt(isr_ != 0 && !msix()->enabled());
    const u8 data = static_cast<u8>(window_ + kWindowData);
    if (offset >= data + 4 || offset + width <= data) return;
    BankId target = 0;
    u32 at = 0;
    unsigned size = 0;
    if (window_target(target, at, size)) write(target, at, config32(data), size);
}

}  // namespace mynah
