defmodule Outcomes do
  @moduledoc "A formatter of ExUnit: writes `OUTCOME TEST` of every test to the file that $OUTCOMES names, and why to $OUTCOMES.why."

  use GenServer

  @impl true
  def init(_options) do
    path = System.fetch_env!("OUTCOMES")
    {:ok, %{outcomes: File.open!(path, [:write, :utf8]), why: File.open!(path <> ".why", [:write, :utf8])}}
  end

  @impl true
  def handle_cast({:test_finished, test}, files) do
    name = "#{inspect(test.module)}::#{test.name}"
    IO.puts(files.outcomes, "#{outcome(test.state)} #{name}")

    with {:failed, failures} <- test.state do
      IO.puts(files.why, "=== failed #{name}\n#{ExUnit.Formatter.format_test_failure(test, failures, 1, 120, fn _, text -> text end)}")
    end

    {:noreply, files}
  end

  def handle_cast(_event, files), do: {:noreply, files}

  defp outcome(nil), do: "passed"
  defp outcome({skipped, _why}) when skipped in [:skipped, :excluded], do: "skipped"
  defp outcome(_state), do: "failed"
end
