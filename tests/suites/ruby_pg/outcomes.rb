# frozen_string_literal: true

# Has ruby-pg's specs use the server that PG* names, where they would start one of their own, and writes `OUTCOME TEST` of each to the file
# that $OUTCOMES names, and why it failed to $OUTCOMES.why.

require File.join(Dir.pwd, 'spec', 'helpers')

class PG::TestingHelpers::PostgresServer
    def initialize(name, port:, **)
        @name = name
        @port = port
        @conninfo = "host=localhost port=#{port} dbname=test"
        @unix_socket = '/nonexistent'
    end

    def create_test_db; end

    def teardown; end
end

class Outcomes
    RSpec::Core::Formatters.register self, :example_passed, :example_failed, :example_pending

    def initialize(output)
        @outcomes = output
    end

    def example_passed(notification)
        tell('passed', notification.example)
    end

    def example_pending(notification)
        tell('skipped', notification.example)
    end

    def example_failed(notification)
        tell('failed', notification.example)
        File.open("#{ENV.fetch('OUTCOMES')}.why", 'a') do |why|
            why.puts "=== failed #{name(notification.example)}", notification.exception.full_message(highlight: false)
        end
    end

    private

    def tell(outcome, example)
        @outcomes.puts "#{outcome} #{name(example)}"
        @outcomes.flush
    end

    # Its place, by which it can be run again, and what it says.
    def name(example)
        "#{example.id} #{example.full_description.gsub(/\s+/, ' ')}"
    end
end
