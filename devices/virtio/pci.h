// A virtio device on the PCI bus (VIRTIO 1.0, 4.1): configuration structures in BAR 4, found through vendor
// capabilities, MSI-X in BAR 1 with INTx as the fall-back. Base class of every device of the kind.
#pragma once

#include <string>
#include <vector>

#include "devices/event_queue.h"
#include "devices/pci.h"
#include "devices/virtio/queue.h"

namespace mynah {

class VirtioPci : public PciFunction {
  public:
    enum Bank : BankId { structures, messages };

    std::string_view name() const override { return name_; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId bank) const override;
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId bank, u64 offset, u64 value, unsigned width) override;

  protected:
    struct Kind {
        u16 type;        // virtio device id (chapter 5)
        u32 class_code;  // as in PciIds
    };
    // `queue_sizes`: powers of two, one for each queue. `config_bytes`: of the device's own structure. The
    // derived class sets its content with put_config() and features with offer(), and calls reset() last.
    VirtioPci(std::string name, Kind kind, EventQueue& events, const std::vector<u16>& queue_sizes,
              u32 config_bytes);

    void offer(unsigned feature) { offered_ |= u64{1} << feature; }
    template <class T>
    void put_config(u32 offset, T value) {
        MYNAH_CHECK(offset + sizeof value <= config_structure_.size());
        store_le(&config_structure_[offset], value);
    }
    u8 config_structure(u32 offset) const { return config_structure_[offset]; }

    // --- for the derived class, while running ---
    // Whether the driver has taken a feature that is offered.
    bool negotiated(unsigned feature) const { return bit(driver_features_ & offered(), feature); }
    // The driver is there, and the device may use its rings.
    bool live() const;
    VirtioMemory memory() { return VirtioMemory(bus()->memory()); }
    bool pop(unsigned queue, VirtioChain& chain);
    // The buffer that was popped as `head` before a snapshot was made; false: it cannot be.
    bool follow(unsigned queue, u16 head, VirtioChain& chain);
    void unpop(unsigned queue) { queues_[queue].unpop(); }
    void push(unsigned queue, const VirtioChain& chain, u32 written);
    // work() is called for the queue, soon.
    void schedule(unsigned queue);
    // In work(): the buffers that wait are not enough for what there is.
    void want_more(unsigned queue) { starved_ |= u64{1} << queue; }
    // The device's structure was changed with put_config().
    void config_changed();
    // The driver broke the rules: nothing more happens until it resets the device.
    void fail(std::string_view why);
    const EventQueue& events() const { return events_; }

    // An event: buffers may wait. What is pushed in it is shown to the driver at its end. The work of one
    // call must be bounded; schedule() asks for another.
    virtual void work(unsigned queue) = 0;
    // The driver reset the device, or the machine did.
    virtual void reset_device() {}
    // The driver wrote into the device's structure, `value` at `offset`; ignored unless put_config() keeps
    // it.
    virtual void config_structure_written(u32 offset, u64 value, unsigned width) {
        (void)offset, (void)value, (void)width;
    }
    // The driver has taken its features and set up its queues.
    virtual void started() {}
    virtual void visit_device(Archive& ar) { (void)ar; }

    void config_reading(u8 offset, unsigned width) override;
    void config_written(u8 offset, unsigned width) override;

  private:
    void add_structure(u8 type, u32 offset, u32 length, std::optional<u32> multiplier = {});
    u64 offered() const;
    VirtioRingFeatures ring_features() const;
    void reset_transport();
    u8 isr_and_clear();
    void interrupt(u16 vector, u8 isr_bit);
    void run();
    std::vector<u8> common_image() const;
    void write_common(u64 offset, u64 value, unsigned width);
    void set_common(u32 field, u32 value);
    void set_status(u8 value);
    VirtioQueue* selected() { return queue_select_ < queues_.size() ? &queues_[queue_select_] : nullptr; }
    u16 vector_or_none(u32 vector) const;
    bool window_target(BankId& bank, u32& offset, unsigned& width) const;

    std::string name_;
    EventQueue& events_;
    Timer timer_;
    std::vector<VirtioQueue> queues_;
    std::vector<u8> config_structure_;
    u64 offered_ = 0;
    u8 window_ = 0;  // offset of the capability for access through configuration space

    u32 feature_select_ = 0, driver_feature_select_ = 0;
    u64 driver_features_ = 0;
    u16 config_vector_ = VirtioQueue::kNoVector;
    u8 status_ = 0;
    u8 generation_ = 0;
    u16 queue_select_ = 0;
    u8 isr_ = 0;
    u64 scheduled_ = 0;  // queues
    u64 starved_ = 0;    // queues, of the event that runs
};

}  // namespace mynah
